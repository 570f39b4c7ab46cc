/**
 * Where records lie: layer after layer, and in a layer by unit, or by a permutation that the manifest names. Writers and readers ask
 * here; everywhere else units have the model's ids.
 */
import { invariant } from '../../errors.ts';

/** [layer][unit]: the place of the unit's record among those of its layer. undefined: by unit. */
export type RecordPlaces = readonly Uint32Array<ArrayBuffer>[] | undefined;

/** [layer][place]: the unit whose record lies there. */
export type UnitOrder = readonly (readonly number[])[];

/** The place of a unit's record among those of its layer. */
export function placeOf(places: RecordPlaces, layer: number, unit: number): number {
  return places ? (places[layer]?.[unit] ?? unit) : unit;
}

/** Whether these are places of all units, each once. */
export function isPermutation(places: ArrayLike<number>): boolean {
  const isTaken = new Uint8Array(places.length);
  for (let unit = 0; unit < places.length; unit += 1) {
    const place = places[unit] ?? -1;
    if (isTaken[place] !== 0) return false;
    isTaken[place] = 1;
  }
  return true;
}

/** The places of units that lie in this order. */
export function placesOf(order: UnitOrder): NonNullable<RecordPlaces> {
  return order.map((units, layer) => {
    invariant(isPermutation(units), () => `the order of layer ${layer} has not each unit once`);
    const places = new Uint32Array(units.length);
    units.forEach((unit, place) => (places[unit] = place));
    return places;
  });
}

/** The order of units at these places. */
export function orderOf(places: NonNullable<RecordPlaces>): UnitOrder {
  return placesOf(places.map((own) => [...own])).map((order) => [...order]);
}
