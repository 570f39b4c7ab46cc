/** What a chat offers beside talking: named in the attribute `features`. */

/** Each by its name in the attribute. */
export const FEATURES = [
  'copy', // of a message, and of the conversation as Markdown
  'regenerate', // another version of a reply
  'continue', // the rest of a reply that was stopped or too long
  'edit', // of a message, as another version of it
  'delete', // of a message and what followed
  'figures', // tokens, speed, time to the first token and seed of each reply
  'markdown', // replies of models with a chat template are shown as Markdown
  'meter', // how much of the context is in use
  'new', // a button that begins another conversation
  'settings', // a panel: system prompt, sampling, length and seed
  'history', // a panel with the conversations that are kept: by the attribute of this name
] as const;

/** The name of a feature. */
export type ChatFeature = (typeof FEATURES)[number];

/** What a chat has where the attribute is not there: all that takes no room and keeps nothing. */
const USUAL: readonly ChatFeature[] = [
  'copy',
  'regenerate',
  'continue',
  'edit',
  'delete',
  'figures',
  'markdown',
];

/**
 * @param attribute - names between spaces; `all` is all but `history`; null: the usual ones
 * @param keepsHistory - whether the attribute `history` is on, which alone decides
 */
export function readFeatures(attribute: string | null, keepsHistory: boolean): ReadonlySet<ChatFeature> {
  const names = (attribute ?? USUAL.join(' ')).toLowerCase().split(/\s+/);
  const isWanted = (feature: ChatFeature): boolean =>
    feature === 'history' ? keepsHistory : names.includes(feature) || names.includes('all');
  return new Set(FEATURES.filter(isWanted));
}
