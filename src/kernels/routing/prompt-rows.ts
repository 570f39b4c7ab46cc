import source from '../../../shaders/routing/prompt-rows.wgsl?raw';
import { AtomoeError } from '../../errors.ts';
import type { Bindings } from '../../gpu/program.ts';
import { foldGrid, gridPart } from '../common.ts';
import { defineKernel, type ParamValues } from '../kernel.ts';
import { declareBindings } from './declare-bindings.ts';

/** Problem size, which determines the grid: [tokens, cols]. */
export interface PromptRowsSize {
  readonly tokens: number;
  readonly cols: number;
}

const PARAMS = `struct Params {
  tokens: u32,
  past: u32,
  cols: u32,
}
`;

const bindingsOf = ({ keeps }: { readonly keeps: boolean }): Bindings => ({
  x: 'read',
  before: 'read',
  ...(keeps ? { after: 'write' as const } : {}),
  y: 'write',
});

/**
 * Gives all tokens of a sequence the row that its first step had.
 *
 * x [tokens, cols] f32 with equal rows, before [cols] f32 -> y [tokens, cols] f32, after [cols] f32 in variants that keep it
 */
export const promptRows = defineKernel({
  name: 'prompt-rows',
  bindings: { x: 'read', before: 'read', y: 'write' },
  bindingsOf,
  params: { tokens: 'u32', past: 'u32', cols: 'u32' },
  variants: [
    { keeps: true, wg: 64 },
    { keeps: false, wg: 64 },
  ],
  parts: (variant) => [
    { name: 'params', text: PARAMS },
    declareBindings(bindingsOf(variant), () => 'f32'),
    {
      name: 'keep',
      text: `fn keep(column: u32, value: f32) {
${variant.keeps ? '  after[column] = value;\n' : ''}}`,
    },
    gridPart,
    { name: 'routing/prompt-rows.wgsl', text: source },
  ],
  overrides: ({ wg }) => ({ WG: wg }),
  key: ({ keeps, wg }) => `prompt-rows/${keeps ? 'keeps' : 'reads'}/wg${wg}`,
  grid: ({ tokens, cols }: PromptRowsSize, { wg }) => foldGrid(Math.ceil((tokens * cols) / wg)),
});

/**
 * The values of the kernel's parameters.
 *
 * @throws {AtomoeError} bad-input - several tokens behind others: a part of a prompt would have the decision of another part
 */
export function promptRowsParams(sizes: {
  readonly tokens: number;
  readonly past: number;
  readonly cols: number;
}): ParamValues<typeof promptRows> {
  const { tokens, past } = sizes;
  if (past === 0 || tokens === 1) return sizes;
  throw new AtomoeError(
    'bad-input',
    `the routing decides once for a whole prompt, in one step, and ${tokens} tokens come behind ${past}; give at most 256 tokens, with ` +
      'reusePrefix: false and without a strategy that checks several tokens, or choose another rule',
  );
}
