/** Gives tests the stand-in for node:test, and whatever they import of dist/ a copy for each load. */
const standIn = new URL('nodetest.mjs', import.meta.url).href;

/** @type {import('node:module').ResolveHook} */
export async function resolve(specifier, context, next) {
  const parent = context.parentURL ?? '';
  const load = /\/dist\/.*\?load=\d+$/.test(parent) && new URL(parent).search;
  if (load && specifier === 'node:test') return { url: standIn, shortCircuit: true };
  const found = await next(specifier, context);
  return load && /^file:.*\/dist\/[^?]*$/.test(found.url) && !found.url.includes('/node_modules/')
    ? { ...found, url: found.url + load }
    : found;
}
