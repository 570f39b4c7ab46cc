/** The strategies of the package, as plain data that crosses to workers. */

/** Prompt lookup: drafts from n-grams of the text so far, several of which one step checks. */
export interface NgramOptions {
  kind: 'ngram';
  draft?: number; // tokens of a draft at most, 1 to 15; default 8
  longest?: number; // tokens that have to recur for a draft, tried first, then fewer; default 3
}

/** A strategy of the package with its options. */
export type DecodingOptions = NgramOptions;

/** The strategies of the package. */
export type DecodingName = DecodingOptions['kind'];
