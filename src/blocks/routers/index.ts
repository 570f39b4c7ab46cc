import { linear } from './linear.ts';
import { product } from './product.ts';
import { productKeys } from './product-keys.ts';

/** How experts are chosen, by the kind of the score. */
export const ROUTERS = { linear, product, productKeys } as const;

export type RouterName = keyof typeof ROUTERS;
