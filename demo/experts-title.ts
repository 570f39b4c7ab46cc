/** The sentence above the picture: how many experts there are, and how many of them a token wakes. */
import type { ExpertShape } from '../src/element/index.ts';

export function describeExperts({ layers, perLayer }: ExpertShape, perToken: number): [string, string] {
  const number = (value: number): string => value.toLocaleString('en');
  return [`${number(layers * perLayer)} experts.`, `Each token wakes ${number(layers * perToken)}.`];
}
