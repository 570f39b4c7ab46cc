import type { Bindings, Part } from '../../gpu/program.ts';

/** WGSL declarations of storage buffers of numbers, for kernels whose bindings depend on a rule. */
export function declareBindings(bindings: Bindings, typeOf: (name: string) => 'f32' | 'u32'): Part {
  const lines = Object.entries(bindings).map(([name, access], index) => {
    const mode = access === 'read' ? 'read' : 'read_write';
    return `@group(0) @binding(${index}) var<storage, ${mode}> ${name}: array<${typeOf(name)}>;`;
  });
  return { name: 'bindings', text: lines.join('\n') };
}
