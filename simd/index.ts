/** What the modules export: one file for each family. */
export * from './atomic';
export { attention } from './attention';
export * from './basic';
export * from './glu';
export * from './latent';
export * from './linear';
export { add_normed, add_rms_norm, layer_norm, rms_norm } from './norm';
export { delta_scan, state_scan } from './recurrent';
export { rope_kv } from './rope';
export { gate_top_k, product_route } from './routing';
export { penalty, sample } from './sample';
