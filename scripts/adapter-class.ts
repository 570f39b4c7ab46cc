/** Hands ATOMOE_ADAPTER on to the page in which tests run: a browser has no environment. */
Object.assign(globalThis, { ATOMOE_ADAPTER: import.meta.env['VITE_ATOMOE_ADAPTER'] });
