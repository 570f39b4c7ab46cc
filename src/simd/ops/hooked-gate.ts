import { FREE_TOKEN, hooksSize } from '../../kernels/routing/hooked-gate.ts';
import { MASKED } from '../../kernels/routing/stages/stage.ts';
import type { HookedGateIo } from '../../graph/ops/hooks.ts';
import type { Address } from '../kernels.ts';
import type { SimdRun } from '../run.ts';
import { gateKernel, type GateCall } from './routing.ts';

/** Logits below it are masked by hooks. */
const MASK_LIMIT = -1e37;

/** Selection biases of given experts are multiples of it: next to them, affinities and logits are nothing. */
const GIVEN_STEP = 1e30;

/**
 * The gate kernel, token by token, with selection biases that leave it no other choice than that of the hooks. Weights do not
 * depend on these biases, so that they have the bits of the plain graph.
 */
export function hookedGate(run: SimdRun, io: HookedGateIo): void {
  const call = gateKernel(run, io);
  if (!call) return run.byReference();
  const { experts, topK } = io;
  const { fixed, perToken } = hooksSize(io);
  const tokens = new TokenGate(run, io, call); // takes memory, after which views are made
  const words = run.words(io.hooks);
  const [ranks = 0, replays, replaysWeights] = words;
  const slots = words.subarray(fixed - experts, fixed);
  const isPlain = ranks === topK && slots.subarray(0, topK).every((slot, rank) => slot === rank);
  for (let token = 0; token < run.step.tokens; token += 1) {
    const first = fixed + perToken * token;
    if (replays !== 0 && words[first] !== FREE_TOKEN) {
      tokens.give(token, words.subarray(first, first + topK));
      if (replaysWeights !== 0) tokens.putWeights(token, words.subarray(first + topK, first + perToken));
    } else if (isPlain) tokens.choose(token);
    else {
      const chosen = new Uint32Array(topK).fill(experts);
      tokens.best(token, ranks).forEach((id, rank) => {
        const slot = slots[rank] ?? topK;
        if (slot < topK) chosen[slot] = id;
      });
      tokens.give(token, chosen);
    }
  }
}

/** Calls of the gate kernel for single tokens. */
class TokenGate {
  readonly #run: SimdRun;
  readonly #io: HookedGateIo;
  readonly #call: (call: GateCall) => void;
  readonly #bias: Address;
  readonly #ids: Address; // [experts]: of calls whose results are not the token's own
  readonly #weights: Address;

  constructor(run: SimdRun, io: HookedGateIo, call: (call: GateCall) => void) {
    this.#run = run;
    this.#io = io;
    this.#call = call;
    const room = () => run.scratch(run.main, 4 * io.experts);
    [this.#bias, this.#ids, this.#weights] = [room(), room(), room()];
  }

  /** The choice of the token itself, without masked experts. */
  choose(token: number): void {
    const { ids, weights, topK } = this.#io;
    const offset = 4 * topK * token;
    const places = { ids: this.#run.at(ids) + offset, weights: this.#run.at(weights) + offset };
    this.#call({ ...places, ...this.#ownChoice(token), tokens: 1, topK });
  }

  /** The best experts by their selection values, best first; `experts` for none. */
  best(token: number, count: number): Uint32Array {
    const places = { ids: this.#ids, weights: this.#weights };
    this.#call({ ...places, ...this.#ownChoice(token), tokens: 1, topK: count });
    return this.#run.main.words(this.#ids, count).slice();
  }

  /** Gives a token these experts, by rank; `experts` for none. */
  give(token: number, given: Uint32Array): void {
    const { experts, topK, ids, weights } = this.#io;
    const { main } = this.#run;
    const places = [...given.keys()].filter((rank) => (given[rank] ?? experts) < experts);
    const bias = main.floats(this.#bias, experts).fill(MASKED);
    places.forEach((rank, index) => (bias[given[rank] ?? 0] = GIVEN_STEP * (places.length - index)));
    const own = { ids: this.#ids, weights: this.#weights, logits: this.#logitsAt(token), bias: this.#bias };
    this.#call({ ...own, tokens: 1, topK, isFree: true });
    const values = main.floats(this.#weights, topK);
    const [to, shares] = [this.#run.words(ids), this.#run.floats(weights)];
    to.fill(experts, token * topK, (token + 1) * topK);
    shares.fill(0, token * topK, (token + 1) * topK);
    places.forEach((rank, index) => {
      to[token * topK + rank] = given[rank] ?? experts;
      shares[token * topK + rank] = values[index] ?? 0;
    });
  }

  /** Replaces the weights of a token by these bits. */
  putWeights(token: number, bits: Uint32Array): void {
    const { weights, topK } = this.#io;
    this.#run.main.words(this.#run.at(weights) + 4 * topK * token, topK).set(bits);
  }

  #ownChoice(token: number): Pick<GateCall, 'logits' | 'bias'> {
    const { experts, bias } = this.#io;
    const { main } = this.#run;
    const logits = this.#logitsAt(token);
    const values = main.floats(this.#bias, experts);
    values.set(main.floats(this.#run.exactAt(bias), experts));
    main.floats(logits, experts).forEach((logit, e) => {
      if (logit < MASK_LIMIT) values[e] = MASKED;
    });
    return { logits, bias: this.#bias };
  }

  #logitsAt(token: number): Address {
    const { logits, experts } = this.#io;
    return this.#run.at(logits) + 4 * experts * token;
  }
}
