/** Ops of routing rules in models that keep something from step to step: rows that hold for many tokens, and choices. */
import { expertRoom } from '../../kernels/routing/expert-room.ts';
import { heldRows } from '../../kernels/routing/held-rows.ts';
import { promptRows, promptRowsParams } from '../../kernels/routing/prompt-rows.ts';
import { dispatch } from '../node.ts';
import { defineCoreOp } from '../op.ts';
import { nextOf, type Tensor } from '../tensor.ts';

/** Inputs, outputs and attributes of rows that hold for runs of positions. */
export interface HeldRowsIo {
  readonly x: Tensor; // f32 [tokens, cols]
  readonly kept: Tensor; // state, f32 [runs, cols]
  readonly y: Tensor; // f32 [tokens, cols]
  readonly every: number; // positions of a run
  readonly keeps: boolean; // false: a guess, which leaves the state as it is
}

/** Inputs and outputs of a row that holds for all that follows a prompt. */
export interface PromptRowsIo {
  readonly x: Tensor; // f32 [tokens, cols]: equal rows
  readonly kept: Tensor; // state with parity, f32 [cols]
  readonly y: Tensor; // f32 [tokens, cols]
  readonly keeps: boolean;
}

/** Inputs, outputs and attributes of experts that take so many tokens of a sequence. */
export interface ExpertRoomIo {
  readonly ids: Tensor; // u32 [tokens, k]
  readonly chosen: Tensor; // state, u32 [contextTokens, k]
  readonly given: Tensor; // u32 [tokens, k]: ids for a rule by given ids
  readonly room: number; // tokens
  readonly keeps: boolean;
}

/** The row of the first position of each run of positions, for all its tokens. */
export const heldRowsNode = defineCoreOp<HeldRowsIo>({
  name: 'held-rows',
  reads: ({ x, kept }) => [x, kept],
  writes: ({ kept, y, keeps }) => (keeps ? [kept, y] : [y]),
  lower: (context, { x, kept, y, every, keeps }) => {
    const { perToken: cols } = y;
    return [
      context.choose(heldRows, heldRows.variants, `${cols}`, (variant) =>
        dispatch(heldRows, variant, {
          buffers: { x, kept, y },
          params: ({ tokens, past }) => ({ tokens, past, cols, every, keeps: Number(keeps) }),
          size: ({ tokens }) => ({ tokens, cols }),
        }),
      ),
    ];
  },
});

/** The row of the first step, which is the prompt, for all tokens. */
export const promptRowsNode = defineCoreOp<PromptRowsIo>({
  name: 'prompt-rows',
  reads: ({ x, kept }) => [x, kept],
  writes: ({ kept, y, keeps }) => (keeps ? [nextOf(kept), y] : [y]),
  lower: (context, { x, kept, y, keeps }) => {
    const { perToken: cols } = y;
    const variants = promptRows.variants.filter((variant) => variant.keeps === keeps);
    return [
      context.choose(promptRows, variants, `${cols}`, (variant) =>
        dispatch(promptRows, variant, {
          buffers: { x, before: kept, ...(keeps ? { after: nextOf(kept) } : {}), y },
          params: ({ tokens, past }) => promptRowsParams({ tokens, past, cols }),
          size: ({ tokens }) => ({ tokens, cols }),
        }),
      ),
    ];
  },
});

/** The choices that find room in their experts, in the order of the tokens. */
export const expertRoomNode = defineCoreOp<ExpertRoomIo>({
  name: 'expert-room',
  reads: ({ ids, chosen }) => [ids, chosen],
  writes: ({ chosen, given, keeps }) => (keeps ? [chosen, given] : [given]),
  lower: (context, { ids, chosen, given, room, keeps }) => {
    const { perToken: k } = ids;
    return [
      context.choose(expertRoom, expertRoom.variants, `${k}`, (variant) =>
        dispatch(expertRoom, variant, {
          buffers: { ids, chosen, given },
          params: ({ tokens, past }) => ({ tokens, past, k, room, keeps: Number(keeps) }),
          size: ({ tokens }) => ({ tokens, k }),
        }),
      ),
    ];
  },
});
