/** Bad input and good: one clear line each, nothing that ends a supervised device, and edits taken over on the air. Being written. */
