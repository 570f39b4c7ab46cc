/** What the modules export: one file for each family. */
export * from './basic';
export * from './glu';
export * from './linear';
export { add_rms_norm, rms_norm } from './norm';
