import type { Part } from '../../gpu/program.ts';
import type { texts as hardwareTexts } from './hardware.ts';
import type { texts as rareTexts } from './rare.ts';
import type { texts as softwareTexts } from './software.ts';

/** A part of kernels for software adapters, by its file in `shaders`; the text is loaded where a pipeline is compiled. */
export function softwarePart(stem: keyof typeof softwareTexts): Part {
  return { name: `${stem}.wgsl`, text: async () => (await import('./software.ts')).texts[stem] };
}

/** A part of kernels for hardware. */
export function hardwarePart(stem: keyof typeof hardwareTexts): Part {
  return { name: `${stem}.wgsl`, text: async () => (await import('./hardware.ts')).texts[stem] };
}

/** A part that few models and replies need. */
export function rarePart(stem: keyof typeof rareTexts): Part {
  return { name: `${stem}.wgsl`, text: async () => (await import('./rare.ts')).texts[stem] };
}
