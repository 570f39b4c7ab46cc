import { activationCode, type Activation } from '../../kernels/activation.ts';
import { addRmsNorm } from '../../kernels/add-rms-norm.ts';
import { addRmsNormReference } from '../../kernels/add-rms-norm.reference.ts';
import { addShared } from '../../kernels/add-shared.ts';
import { addSharedReference } from '../../kernels/add-shared.reference.ts';
import { embedding } from '../../kernels/embedding.ts';
import { embeddingReference } from '../../kernels/embedding.reference.ts';
import { gluActivation } from '../../kernels/glu-activation.ts';
import { gluActivationReference } from '../../kernels/glu-activation.reference.ts';
import { takeRow } from '../../kernels/take-row.ts';
import { takeRowReference } from '../../kernels/take-row.reference.ts';
import { dispatch, scalarOf, type Node } from '../node.ts';
import type { Tensor, Weight } from '../tensor.ts';
import { assertStream, rowVariants } from './norm.ts';

/** Rows of a tensor of so many columns in a step. */
export function rowsOf(tensor: Tensor, cols: number, tokens: number): number {
  return tensor.perToken > 0 ? (tensor.perToken / cols) * tokens : tensor.fixed / cols;
}

/** y[t] = multiplier * table[ids[t]] */
export function embeddingNode(
  label: string,
  { ids, table, y, multiplier }: { ids: Tensor; table: Weight; y: Tensor; multiplier: number },
): Node {
  const { rows: vocab, cols } = table;
  return {
    op: 'embedding',
    label,
    lower: (context) => {
      const format = context.format(table);
      const candidates = embedding.variants.filter(
        (variant) => variant.scalar === scalarOf(y, context) && variant.format === format,
      );
      return context.parts(table).map(({ ref, firstRow: first, rows, scales }) =>
        context.choose(embedding, candidates, `${vocab}x${cols}`, (variant) =>
          dispatch(embedding, variant, {
            buffers: { ids, table: ref, y },
            params: ({ tokens }) => ({ tokens, vocab, cols, scales, multiplier, first, rows }),
            size: ({ tokens }) => ({ tokens, cols }),
          }),
        ),
      );
    },
    run: (context) => {
      const { tokens } = context.step;
      context.put(
        y,
        embeddingReference(context.words(ids), context.weight(table), { tokens, vocab, cols, multiplier }),
      );
    },
  };
}

export interface AddRmsNormIo {
  readonly x: Tensor; // f32, as all that is added up along the layers
  readonly branch: Tensor; // f32
  readonly scale: number;
  readonly gain: Weight;
  readonly eps: number;
  readonly sum: Tensor; // f32
  readonly y: Tensor;
}

/** sum = x + scale * branch; y = rmsNorm(sum) * gain */
export function addRmsNormNode(label: string, io: AddRmsNormIo): Node {
  const { x, branch, scale, gain, eps, sum, y } = io;
  const { cols } = gain;
  return {
    op: 'add-rms-norm',
    label,
    lower: (context) => {
      for (const tensor of [x, branch, sum]) assertStream(tensor, context);
      return [
        context.choose(addRmsNorm, rowVariants(addRmsNorm.variants, context, cols), `${cols}`, (variant) =>
          dispatch(addRmsNorm, variant, {
            buffers: { x, branch, gain, sum, y },
            params: ({ tokens }) => ({ rows: rowsOf(x, cols, tokens), cols, eps, scale }),
            size: ({ tokens }) => ({ rows: rowsOf(x, cols, tokens) }),
          }),
        ),
      ];
    },
    run: (context) => {
      const rows = rowsOf(x, cols, context.step.tokens);
      const result = addRmsNormReference(context.floats(x), context.floats(branch), context.weight(gain), {
        rows,
        cols,
        eps,
        scale,
      });
      context.put(sum, result.sum);
      context.put(y, result.y);
    },
  };
}

/** y = act(gate) * up, from one projection that holds both halves */
export function gluActivationNode(
  label: string,
  { gateUp, y, width, activation }: { gateUp: Tensor; y: Tensor; width: number; activation: Activation },
): Node {
  const act = activationCode(activation);
  return {
    op: 'glu-activation',
    label,
    lower: (context) => {
      const candidates = gluActivation.variants.filter(({ scalar }) => scalar === context.scalar);
      return [
        context.choose(gluActivation, candidates, `${width}`, (variant) =>
          dispatch(gluActivation, variant, {
            buffers: { gate_up: gateUp, y },
            params: ({ tokens }) => ({ rows: tokens, width, act }),
            size: ({ tokens }) => ({ rows: tokens, width }),
          }),
        ),
      ];
    },
    run: (context) => {
      const rows = context.step.tokens;
      context.put(y, gluActivationReference(context.floats(gateUp), { rows, width, act }));
    },
  };
}

/** y = a + b, or a + sigmoid(gate) * b where there is a gate [tokens] */
export function addSharedNode(
  label: string,
  { a, b, gate, y, cols }: { a: Tensor; b: Tensor; gate: Tensor | undefined; y: Tensor; cols: number },
): Node {
  return {
    op: 'add-shared',
    label,
    lower: (context) => {
      const candidates = addShared.variants.filter(
        ({ scalar, gated }) => scalar === scalarOf(y, context) && gated === (gate !== undefined),
      );
      return [
        context.choose(addShared, candidates, `${cols}`, (variant) =>
          dispatch(addShared, variant, {
            buffers: { a, b, y, ...(gate ? { gate } : {}) },
            params: ({ tokens }) => ({ tokens, cols, scale: 1 }),
            size: ({ tokens }) => ({ tokens, cols }),
          }),
        ),
      ];
    },
    run: (context) => {
      const gates = gate && context.floats(gate);
      const options = { tokens: context.step.tokens, cols, scale: 1 };
      context.put(y, addSharedReference(context.floats(a), context.floats(b), gates, options));
    },
  };
}

/** y = the row of the step's last token */
export function lastRowNode(label: string, { x, y, cols }: { x: Tensor; y: Tensor; cols: number }): Node {
  return {
    op: 'take-row',
    label,
    lower: (context) => {
      const candidates = takeRow.variants.filter(({ scalar }) => scalar === scalarOf(y, context));
      return [
        context.choose(takeRow, candidates, `${cols}`, (variant) =>
          dispatch(takeRow, variant, {
            buffers: { x, y },
            params: ({ tokens }) => ({ row: tokens - 1, cols }),
            size: () => ({ cols }),
          }),
        ),
      ];
    },
    run: (context) => {
      const row = context.step.tokens - 1;
      context.put(y, takeRowReference(Float32Array.from(context.floats(x)), { row, cols }));
    },
  };
}
