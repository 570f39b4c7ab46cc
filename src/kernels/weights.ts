import type { Part } from '../gpu/program.ts';
import { render } from '../gpu/program.ts';
import { invariant } from '../errors.ts';
import scalesSource from '../../shaders/lib/scales.wgsl?raw';
import { WEIGHTS_PER_UNIT, type WeightFormat } from './common.ts';

export function isScaled(format: WeightFormat): boolean {
  return format === 'q8_0' || format === 'q4_0';
}

/** `unit_scale(row, unit, cols, first_word)` for the matrix that is bound under a name. */
export function scalesPart(format: WeightFormat, matrix: string): Part {
  const part = { name: 'lib/scales.wgsl', text: scalesSource };
  return render(part, { scaled: isScaled(format), matrix });
}

const QUANT_BLOCK = 32;

/** Rows of a weight matrix are whole units, and whole blocks where weights share scales. */
export function assertWholeUnits(format: WeightFormat, cols: number): void {
  const step = isScaled(format) ? QUANT_BLOCK : WEIGHTS_PER_UNIT[format];
  invariant(cols > 0 && cols % step === 0, () => `${cols} columns of ${format}: not a multiple of ${step}`);
}
