declare module 'wgsl_reflect/wgsl_reflect.module.js' {
  /** The part of wgsl_reflect that the shader test uses. */
  export class WgslReflect {
    constructor(code: string);
    getBindGroups(): { name: string; access: string }[][];
    readonly uniforms: { members?: { name: string; type: { name: string }; offset: number }[] }[];
  }
}
