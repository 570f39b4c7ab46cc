/** What the experts of a model did during one text: how hot each is now, how much it was used, and for which words. */
import type { TokenRoutes } from '../engine/api.ts';
import { bareWord, WordStream, type Piece } from './words.ts';

/** Layers with experts, and experts of each. */
export interface ExpertShape {
  readonly layers: number;
  readonly perLayer: number;
  readonly grid?: number; // atomic experts: perLayer = grid x grid
}

/** One expert. */
export interface ExpertId {
  readonly layer: number;
  readonly expert: number;
}

/** An expert with its share of the routing weight. */
export interface BusyExpert extends ExpertId {
  readonly share: number; // of all the weight given in its layer, 0..1
}

/** A word that an expert was used for, and how often. */
export interface LikedWord {
  readonly text: string;
  readonly count: number;
}

/** Heat falls to 1/e in this time: long enough to see, short enough to follow the text. */
const DECAY_MS = 700;
/** Below this an expert looks cold. */
const COLD = 1 / 256;
/** Even the weakest expert of a token must be seen to light up. */
const WEAKEST_HEAT = 0.5;

/** Counts which experts made which words; weights fade over time. */
export class ExpertActivity {
  readonly shape: ExpertShape;
  readonly heat: Float32Array; // [layers, perLayer] 0..1, what is lit now
  readonly use: Float32Array; // [layers, perLayer] weight given since the text began
  readonly #words = new WordStream();
  readonly #wordRoutes: Map<number, number>[] = []; // per word: expert index -> strongest heat
  #maxUse = 0;

  constructor(shape: ExpertShape) {
    this.shape = shape;
    this.heat = new Float32Array(shape.layers * shape.perLayer);
    this.use = new Float32Array(shape.layers * shape.perLayer);
  }

  get words(): readonly string[] {
    return this.#words.words;
  }

  /** The largest entry of `use`. */
  get maxUse(): number {
    return this.#maxUse;
  }

  index({ layer, expert }: ExpertId): number {
    return layer * this.shape.perLayer + expert;
  }

  /** Takes one token and the experts that made it; returns the pieces of text that it adds. */
  addToken(text: string, routes: TokenRoutes | undefined): Piece[] {
    const pieces = this.#words.push(text);
    const heats = routes ? this.#light(routes) : new Map<number, number>();
    for (const piece of pieces) {
      if (piece.kind === 'word') merge((this.#wordRoutes[piece.word] ??= new Map()), heats);
    }
    return pieces;
  }

  /** Lets everything cool; returns whether anything is still lit. */
  cool(elapsedMs: number): boolean {
    const factor = Math.exp(-elapsedMs / DECAY_MS);
    let isLit = false;
    const { heat } = this;
    for (let i = 0; i < heat.length; i++) {
      const cooled = (heat[i] ?? 0) * factor;
      heat[i] = cooled < COLD ? 0 : cooled;
      isLit ||= cooled >= COLD;
    }
    return isLit;
  }

  /** The experts that made a word, as expert index -> heat. */
  routesOf(word: number): ReadonlyMap<number, number> {
    return this.#wordRoutes[word] ?? new Map<number, number>();
  }

  /** The words that an expert helped to make, by number. */
  wordsOf(id: ExpertId): number[] {
    const index = this.index(id);
    return this.#wordRoutes.flatMap((routes, word) => (routes.has(index) ? [word] : []));
  }

  /** The words that an expert is used for most, most frequent first. */
  likedWords(id: ExpertId, limit: number): LikedWord[] {
    const counts = new Map<string, number>();
    for (const word of this.wordsOf(id)) {
      const text = bareWord(this.words[word] ?? '') || (this.words[word] ?? '');
      counts.set(text, (counts.get(text) ?? 0) + 1);
    }
    const liked = [...counts].map(([text, count]) => ({ text, count }));
    return liked.sort((a, b) => b.count - a.count).slice(0, limit);
  }

  /** The busiest experts of one layer, busiest first. */
  busiest(layer: number, limit: number): BusyExpert[] {
    const { perLayer } = this.shape;
    const use = this.use.subarray(layer * perLayer, (layer + 1) * perLayer);
    const total = use.reduce((sum, each) => sum + each, 0);
    const used: BusyExpert[] = [];
    use.forEach((each, expert) => {
      if (each > 0) used.push({ layer, expert, share: each / total });
    });
    return used.sort((a, b) => b.share - a.share).slice(0, limit);
  }

  #light(routes: TokenRoutes): Map<number, number> {
    const heats = new Map<number, number>();
    routes.ids.forEach((ids, layer) => {
      const weights = routes.weights[layer] ?? [];
      const strongest = Math.max(...weights, Number.MIN_VALUE);
      ids.forEach((expert, rank) => {
        const weight = weights[rank] ?? 0;
        const index = this.index({ layer, expert });
        if (layer >= this.shape.layers || expert >= this.shape.perLayer) return;
        const heat = WEAKEST_HEAT + (1 - WEAKEST_HEAT) * Math.max(0, weight / strongest);
        heats.set(index, heat);
        this.heat[index] = Math.max(this.heat[index] ?? 0, heat);
        const use = (this.use[index] ?? 0) + Math.abs(weight);
        this.use[index] = use;
        this.#maxUse = Math.max(this.#maxUse, use);
      });
    });
    return heats;
  }
}

function merge(into: Map<number, number>, heats: ReadonlyMap<number, number>): void {
  for (const [index, heat] of heats) into.set(index, Math.max(into.get(index) ?? 0, heat));
}
