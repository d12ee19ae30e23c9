/** Nothing configured: the demonstration server, and what is printed about it. Being written. */
