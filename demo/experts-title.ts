/** The sentence above the picture: how many experts there are, and how many of them a token wakes. */
import type { ModelPlan } from '../src/engine/api.ts';
import type { ExpertShape } from '../src/element/index.ts';

export function describeExperts({ layers, perLayer }: ExpertShape, perToken: number): [string, string] {
  const number = (value: number): string => value.toLocaleString('en');
  return [`${number(layers * perLayer)} experts.`, `Each token wakes ${number(layers * perToken)}.`];
}

/** The experts as the picture will show them; thousands of them in a square number are a grid. */
export function plannedShape({ layers, experts }: ModelPlan): ExpertShape {
  const grid = Math.sqrt(experts);
  return { layers, perLayer: experts, ...(experts >= 1024 && Number.isInteger(grid) ? { grid } : {}) };
}
