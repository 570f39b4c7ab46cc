/** Descriptions that visitors write: what is wrong with them, with its path, and the rule that they are. */
import { describedRule, MODEL, type Rule } from './rules.ts';

/** A description that was read. */
export type Reading = { readonly rule: Rule } | { readonly problems: readonly string[] };

/** Loads what reads descriptions with the first of them. */
export async function readDescription(text: string): Promise<Reading> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return { problems: [`This is not JSON: ${error instanceof Error ? error.message : String(error)}`] };
  }
  const { problemsOfRouting } = await import('../../src/engine/load/described-fit.ts');
  const place = { experts: MODEL.experts, hidden: MODEL.hidden, layer: 0 };
  const problems = problemsOfRouting(value, place).map(({ message }) => message.replace(/^routing: /, ''));
  if (problems.length > 0) return { problems };
  return { rule: describedRule(value as Rule['router']) };
}
