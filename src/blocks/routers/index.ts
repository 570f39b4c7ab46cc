import { linear } from './linear.ts';
import { product } from './product.ts';

/** How experts are chosen, by the kind of the score. */
export const ROUTERS = { linear, product } as const;

export type RouterName = keyof typeof ROUTERS;
