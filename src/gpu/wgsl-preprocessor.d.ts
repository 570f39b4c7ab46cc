declare module 'wgsl-preprocessor/wgsl-preprocessor.js' {
  /** Template tag that evaluates `#if ${condition}`, `#elif`, `#else` and `#endif`. */
  export function wgsl(strings: TemplateStringsArray | string[], ...values: unknown[]): string;
}
