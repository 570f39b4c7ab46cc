/** What one case of the Firefox lane came to: passed when it has neither error nor skip. */
export type CaseResult = { name: string; error?: string; skip?: string };

/** A named check; it throws when it fails. */
export type Case = { name: string; run: () => Promise<void> };

/** Runs the cases one after the other and keeps going after a failure. */
export async function runCases(cases: readonly Case[]): Promise<CaseResult[]> {
  const results: CaseResult[] = [];
  for (const { name, run } of cases) {
    try {
      await run();
      results.push({ name });
    } catch (cause) {
      results.push({ name, error: cause instanceof Error ? cause.message : String(cause) });
    }
  }
  return results;
}
