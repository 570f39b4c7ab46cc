/** What `Session.restore` did. */
export interface RestoreReport {
  readonly tokens: number; // that the session holds now
  readonly how: 'copied' | 'computed'; // 'computed': from the ids, because of `why`
  readonly why?: string;
}
