/** Every program that kernels list, with the texts of its parts: for tests and scripts that read WGSL. */
import { textOf, type Program } from '../gpu/program.ts';
import { allPrograms } from './index.ts';

/** A program whose parts are loaded. */
export interface LoadedProgram extends Program {
  readonly parts: readonly { readonly name: string; readonly text: string }[];
}

/** `allPrograms`, loaded. */
export const loadedPrograms: readonly LoadedProgram[] = await Promise.all(
  allPrograms.map(async (program) => {
    const parts = program.parts.map(async (part) => ({ name: part.name, text: await textOf(part) }));
    return { ...program, parts: await Promise.all(parts) };
  }),
);
