import { activationCode, type Activation } from '../../kernels/core/activation.ts';
import { addNormed } from '../../kernels/norm/add-normed.ts';
import { addRmsNorm } from '../../kernels/norm/add-rms-norm.ts';
import { addShared } from '../../kernels/core/add-shared.ts';
import { embedding } from '../../kernels/core/embedding.ts';
import { gluActivation } from '../../kernels/core/glu-activation.ts';
import { scaleRows } from '../../kernels/core/scale-rows.ts';
import { softCap } from '../../kernels/core/soft-cap.ts';
import { takeRow } from '../../kernels/core/take-row.ts';
import { inFormat } from '../../kernels/weights.ts';
import { dispatch, scalarOf } from '../node.ts';
import { defineCoreOp } from '../op.ts';
import { elementCount, type Tensor, type Weight } from '../tensor.ts';
import { assertStream, rowsOf, rowVariants } from './norm.ts';

/** Inputs, outputs and attributes of an embedding. */
export interface EmbeddingIo {
  readonly ids: Tensor; // u32 [tokens]
  readonly table: Weight; // [vocab, cols]
  readonly y: Tensor; // [tokens, cols]
  readonly multiplier: number;
}

/** y[t] = multiplier * table[ids[t]]; zeros for ids outside the vocabulary. */
export const embeddingNode = defineCoreOp<EmbeddingIo>({
  name: 'embedding',
  reads: ({ ids, table }) => [ids, table],
  writes: ({ y }) => [y],
  lower(context, { ids, table, y, multiplier }) {
    const { rows: vocab, cols } = table;
    return context.parts(table).map(({ ref, firstRow: first, rows, format, scales }) => {
      const candidates = inFormat(embedding, format).filter(({ scalar }) => scalar === scalarOf(y, context));
      return context.choose(embedding, candidates, `${vocab}x${cols}`, (variant) =>
        dispatch(embedding, variant, {
          buffers: { ids, table: ref, y },
          params: ({ tokens }) => ({ tokens, vocab, cols, scales, multiplier, first, rows }),
          size: ({ tokens }) => ({ tokens, cols }),
        }),
      );
    });
  },
});

/** Inputs, outputs and attributes of a residual addition followed by a norm. */
export interface AddRmsNormIo {
  readonly x: Tensor; // f32, as the whole residual stream
  readonly branch: Tensor; // f32
  readonly scale: number;
  readonly gain: Weight;
  readonly eps: number;
  readonly sum: Tensor; // f32
  readonly y: Tensor;
}

/** sum = x + scale * branch; y = rmsNorm(sum) * gain */
export const addRmsNormNode = defineCoreOp<AddRmsNormIo>({
  name: 'add-rms-norm',
  reads: ({ x, branch, gain }) => [x, branch, gain],
  writes: ({ sum, y }) => [sum, y],
  lower(context, { x, branch, scale, gain, eps, sum, y }) {
    for (const tensor of [x, branch, sum]) assertStream(tensor, context);
    const { cols } = gain;
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
});

/** Inputs, outputs and attributes of the addition of a branch with a norm behind it. */
export interface AddNormedIo {
  readonly x: Tensor; // f32, as the whole residual stream
  readonly branch: Tensor; // f32
  readonly scale: number;
  readonly gain: Weight;
  readonly factor?: Weight | undefined; // f32 [1]; default: 1
  readonly eps: number;
  readonly y: Tensor; // f32
}

/** y = factor * (x + scale * rmsNorm(branch) * gain) */
export const addNormedNode = defineCoreOp<AddNormedIo>({
  name: 'add-normed',
  reads: ({ x, branch, gain, factor }) => [x, branch, gain, factor],
  writes: ({ y }) => [y],
  lower(context, { x, branch, scale, gain, factor, eps, y }) {
    for (const tensor of [x, branch, y]) assertStream(tensor, context);
    const { cols } = gain;
    const candidates = rowVariants(addNormed.variants, context, cols, 'f32').filter(
      ({ scaled }) => scaled === (factor !== undefined),
    );
    return [
      context.choose(addNormed, candidates, `${cols}`, (variant) =>
        dispatch(addNormed, variant, {
          buffers: { x, branch, gain, y, ...(factor ? { factor } : {}) },
          params: ({ tokens }) => ({ rows: rowsOf(x, cols, tokens), cols, eps, scale }),
          size: ({ tokens }) => ({ rows: rowsOf(x, cols, tokens) }),
        }),
      ),
    ];
  },
});

/** Inputs, outputs and attributes of a multiplication of rows. */
export interface ScaleRowsIo {
  readonly x: Tensor; // [tokens, cols]
  readonly factors: Tensor | Weight; // f32 [tokens], or a weight [positions, 1]
  readonly y: Tensor; // [tokens, cols]
  readonly cols: number; // a multiple of 4
}

/** y[t] = factors[t] * x[t], or factors[past + t] * x[t] with factors of positions. */
export const scaleRowsNode = defineCoreOp<ScaleRowsIo>({
  name: 'scale-rows',
  reads: ({ x, factors }) => [x, factors],
  writes: ({ y }) => [y],
  lower(context, { x, factors, y, cols }) {
    const candidates = scaleRows.variants.filter(({ scalar }) => scalar === scalarOf(y, context));
    return [
      context.choose(scaleRows, candidates, `${cols}`, (variant) =>
        dispatch(scaleRows, variant, {
          buffers: { x, factors, y },
          params: ({ tokens, past }) => ({ tokens, cols, first: factors.kind === 'weight' ? past : 0 }),
          size: ({ tokens }) => ({ tokens, cols }),
        }),
      ),
    ];
  },
});

/** Input, output and attribute of a soft cap. */
export interface SoftCapIo {
  readonly x: Tensor; // f32
  readonly y: Tensor; // f32, of the same size
  readonly cap: number;
}

/** y = cap * tanh(x / cap) */
export const softCapNode = defineCoreOp<SoftCapIo>({
  name: 'soft-cap',
  reads: ({ x }) => [x],
  writes: ({ y }) => [y],
  lower: (context, { x, y, cap }) => [
    context.choose(softCap, softCap.variants, '', (variant) =>
      dispatch(softCap, variant, {
        buffers: { x, y },
        params: ({ tokens }) => ({ count: elementCount(x, tokens), cap }),
        size: ({ tokens }) => ({ count: elementCount(x, tokens) }),
      }),
    ),
  ],
});

/** Inputs, outputs and attributes of a gated activation. */
export interface GluActivationIo {
  readonly gateUp: Tensor; // [tokens, 2 * width]
  readonly y: Tensor; // [tokens, width]
  readonly width: number;
  readonly activation: Activation;
}

/** y = act(gate) * up, for a projection with both halves, gate first. */
export const gluActivationNode = defineCoreOp<GluActivationIo>({
  name: 'glu-activation',
  reads: ({ gateUp }) => [gateUp],
  writes: ({ y }) => [y],
  lower(context, { gateUp, y, width, activation }) {
    const act = activationCode(activation);
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
});

/** Inputs and outputs of the addition of a shared expert, or of a branch to the stream. */
export interface AddSharedIo {
  readonly a: Tensor; // f32 [rows, cols]
  readonly b: Tensor; // f32 [rows, cols]
  readonly gate: Tensor | undefined; // f32 [rows]
  readonly y: Tensor; // f32 [rows, cols]
  readonly cols: number;
  readonly scale?: number; // without a gate; default 1
}

/** y = a + scale * b; with a gate, y = a + sigmoid(gate) * b. */
export const addSharedNode = defineCoreOp<AddSharedIo>({
  name: 'add-shared',
  reads: ({ a, b, gate }) => [a, b, gate],
  writes: ({ y }) => [y],
  lower(context, { a, b, gate, y, cols, scale = 1 }) {
    const candidates = addShared.variants.filter(
      ({ scalar, gated }) => scalar === scalarOf(y, context) && gated === (gate !== undefined),
    );
    return [
      context.choose(addShared, candidates, `${cols}`, (variant) =>
        dispatch(addShared, variant, {
          buffers: { a, b, y, ...(gate ? { gate } : {}) },
          params: ({ tokens }) => ({ tokens: rowsOf(y, cols, tokens), cols, scale }),
          size: ({ tokens }) => ({ tokens: rowsOf(y, cols, tokens), cols }),
        }),
      ),
    ];
  },
});

/** Input and output of `lastRowNode`. */
export interface LastRowIo {
  readonly x: Tensor; // [tokens, cols]
  readonly y: Tensor; // [cols]
  readonly cols: number;
}

/** y = the row of the step's last token. */
export const lastRowNode = defineCoreOp<LastRowIo>({
  name: 'take-row',
  reads: ({ x }) => [x],
  writes: ({ y }) => [y],
  lower(context, { x, y, cols }) {
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
});
