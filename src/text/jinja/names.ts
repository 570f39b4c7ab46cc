import type { ParsedTemplate } from './ast.ts';

/** The variables that a template reads or sets somewhere. */
export function namesIn(template: ParsedTemplate): ReadonlySet<string> {
  const names = new Set<string>();
  const pending: unknown[] = [template];
  while (pending.length > 0) {
    const node = pending.pop();
    if (typeof node !== 'object' || node === null) continue;
    if ('kind' in node && node.kind === 'name' && 'name' in node) names.add(String(node.name));
    pending.push(...Object.values(node));
  }
  return names;
}
