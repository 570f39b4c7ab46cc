import type { GraphBuilder } from '../../graph/builder.ts';

/** Where a router is added: in a layer of its own, or in an earlier one as a prediction. */
export interface RouterPlace {
  readonly at: number; // index among the layers with experts
  readonly of: number; // that of the layer whose router it is
}

interface Entry<T> extends RouterPlace {
  readonly value: T;
}

/**
 * What the routers of a model's layers hand to those of later layers, within one graph. Predictions read what real
 * layers and earlier predictions of the same place handed on, and real layers never read what a prediction did.
 */
export class Handed<T> {
  readonly #graphs = new WeakMap<GraphBuilder, Map<string, Entry<T>[]>>();

  /** What the nearest layer before handed on under a name; undefined in the first one. */
  before(builder: GraphBuilder, name: string, { at, of }: RouterPlace): T | undefined {
    const entries = this.#graphs.get(builder)?.get(name) ?? [];
    const isSeen = (entry: Entry<T>) => entry.of < of && (entry.at === entry.of || entry.at === at);
    return entries.filter(isSeen).sort((a, b) => b.of - a.of)[0]?.value;
  }

  add(builder: GraphBuilder, name: string, { at, of }: RouterPlace, value: T): void {
    const names = this.#graphs.get(builder) ?? new Map<string, Entry<T>[]>();
    this.#graphs.set(builder, names.set(name, [...(names.get(name) ?? []), { at, of, value }]));
  }
}
