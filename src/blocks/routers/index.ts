/** The built-in routers by the kind of their score; each is loaded when a spec names it. */
export const ROUTERS = {
  linear: async () => (await import('./linear.ts')).linear,
  product: async () => (await import('./product.ts')).product,
  described: async () => (await import('./described.ts')).described,
  productKeys: async () => (await import('./product-keys.ts')).productKeys,
  aliased: async () => (await import('./aliased.ts')).aliased,
  analytic: async () => (await import('./analytic.ts')).analytic,
} as const;

/** The name of a built-in router. */
export type RouterName = keyof typeof ROUTERS;
