import { NOWHERE, TILE_HEADER_WORDS, tilesWords } from './sparse-dispatch.ts';

/** Pairs sorted by expert, and their division into tiles. */
export interface SparseDispatch {
  readonly counts: Uint32Array<ArrayBuffer>; // [experts]
  readonly offsets: Uint32Array<ArrayBuffer>; // [experts + 1]
  readonly sorted: Uint32Array<ArrayBuffer>; // [pairs] pair numbers by (expert, pair number)
  readonly place: Uint32Array<ArrayBuffer>; // [pairs] the inverse; NOWHERE: the pair has no expert
  readonly tiles: Uint32Array<ArrayBuffer>; // records of expert, first place, rows, 0, pair numbers; unset words 0
  readonly args: Uint32Array<ArrayBuffer>; // [3] tiles, argsY, argsZ
}

/**
 * The pairs (token * topK + rank) of a step, stably sorted by expert, and each expert's run divided into tiles of tileRows.
 * Ids >= experts mean no expert and come last.
 *
 * ids [pairs]
 */
export function sparseDispatchReference(
  ids: Uint32Array,
  {
    pairs,
    experts,
    tileRows,
    argsY,
    argsZ,
  }: { pairs: number; experts: number; tileRows: number; argsY: number; argsZ: number },
): SparseDispatch {
  const runs: number[][] = Array.from({ length: experts + 1 }, () => []);
  for (let pair = 0; pair < pairs; pair += 1) runs[Math.min(ids[pair]!, experts)]!.push(pair);
  const offsets = new Uint32Array(experts + 1);
  const place = new Uint32Array(pairs).fill(NOWHERE);
  const tiles = new Uint32Array(tilesWords({ pairs, experts }, tileRows));
  let tile = 0;
  let begin = 0;
  for (const [expert, run] of runs.entries()) {
    offsets[expert] = begin;
    if (expert === experts) break;
    run.forEach((pair, rank) => (place[pair] = begin + rank));
    for (let rank = 0; rank < run.length; rank += tileRows) {
      const rows = run.slice(rank, rank + tileRows);
      tiles.set([expert, begin + rank, rows.length, 0, ...rows], tile * (TILE_HEADER_WORDS + tileRows));
      tile += 1;
    }
    begin += run.length;
  }
  return {
    counts: Uint32Array.from(runs.slice(0, experts), ({ length }) => length),
    offsets,
    sorted: Uint32Array.from(runs.flat()),
    place,
    tiles,
    args: Uint32Array.of(tile, argsY, argsZ),
  };
}
