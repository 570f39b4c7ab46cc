/** A template as a tree. Expressions have the grammar of Jinja2's parser, which is not quite Python's. */
import type { Value } from './values.ts';

/** Arguments of a call, by position and by name, with unpacked lists and mappings. */
export interface CallArguments {
  readonly args: readonly Expression[];
  readonly keywords: readonly (readonly [string, Expression])[];
  readonly moreArgs: Expression | undefined; // *args
  readonly moreKeywords: Expression | undefined; // **kwargs
}

/** An arithmetic operator. */
export type BinaryOperator = '+' | '-' | '*' | '/' | '//' | '%' | '**';

/** A comparison operator; comparisons can be chained. */
export type Comparison = '==' | '!=' | '<' | '<=' | '>' | '>=' | 'in' | 'not in';

/** An expression of a template. */
export type Expression =
  | { readonly kind: 'constant'; readonly value: Value }
  | { readonly kind: 'name'; readonly name: string }
  | { readonly kind: 'list' | 'tuple' | 'concat'; readonly items: readonly Expression[] }
  | { readonly kind: 'dict'; readonly pairs: readonly (readonly [Expression, Expression])[] }
  | { readonly kind: 'attribute'; readonly object: Expression; readonly name: string }
  | { readonly kind: 'item'; readonly object: Expression; readonly key: Expression }
  | {
      readonly kind: 'slice';
      readonly object: Expression;
      readonly bounds: readonly (Expression | undefined)[]; // start, stop, step
    }
  | { readonly kind: 'call'; readonly callee: Expression; readonly given: CallArguments }
  | {
      readonly kind: 'filter';
      readonly object: Expression | undefined; // undefined: the text of a block
      readonly name: string;
      readonly given: CallArguments;
    }
  | {
      readonly kind: 'test';
      readonly object: Expression;
      readonly name: string;
      readonly given: CallArguments;
    }
  | { readonly kind: 'not' | 'negative' | 'positive'; readonly operand: Expression }
  | { readonly kind: 'and' | 'or'; readonly left: Expression; readonly right: Expression }
  | {
      readonly kind: 'binary';
      readonly operator: BinaryOperator;
      readonly left: Expression;
      readonly right: Expression;
    }
  | {
      readonly kind: 'compare';
      readonly first: Expression;
      readonly rest: readonly (readonly [Comparison, Expression])[];
    }
  | {
      readonly kind: 'condition';
      readonly test: Expression;
      readonly chosen: Expression;
      readonly otherwise: Expression | undefined;
    };

/** What an assignment or a loop writes to. */
export type Target =
  | { readonly kind: 'name'; readonly name: string }
  | { readonly kind: 'member'; readonly name: string; readonly attribute: string } // of a namespace
  | { readonly kind: 'targets'; readonly items: readonly Target[] };

/** Parameters of a macro. */
export interface Signature {
  readonly names: readonly string[];
  readonly defaults: readonly Expression[]; // of the last names
}

/** What a tag, a text or a printed expression does. */
export type Action =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'print'; readonly value: Expression }
  | {
      readonly kind: 'for';
      readonly target: Target;
      readonly items: Expression;
      readonly test: Expression | undefined;
      readonly isRecursive: boolean;
      readonly body: readonly Statement[];
      readonly otherwise: readonly Statement[];
    }
  | {
      readonly kind: 'if';
      readonly branches: readonly { readonly test: Expression; readonly body: readonly Statement[] }[];
      readonly otherwise: readonly Statement[];
    }
  | { readonly kind: 'set'; readonly target: Target; readonly value: Expression }
  | {
      readonly kind: 'set-block';
      readonly target: Target;
      readonly filter: Expression | undefined;
      readonly body: readonly Statement[];
    }
  | {
      readonly kind: 'macro';
      readonly name: string;
      readonly signature: Signature;
      readonly body: readonly Statement[];
    }
  | {
      readonly kind: 'call-block';
      readonly call: Extract<Expression, { kind: 'call' }>;
      readonly signature: Signature;
      readonly body: readonly Statement[];
    }
  | { readonly kind: 'filter-block'; readonly filter: Expression; readonly body: readonly Statement[] }
  | {
      readonly kind: 'with';
      readonly bindings: readonly (readonly [Target, Expression])[];
      readonly body: readonly Statement[];
    }
  | { readonly kind: 'scope' | 'block'; readonly body: readonly Statement[] }
  | { readonly kind: 'break' | 'continue' }
  | { readonly kind: 'refused'; readonly tag: string }; // needs another template

/** A statement of a template, with its line. */
export type Statement = Action & { readonly line: number }; // of the template, from 1

/** The statements of a template in order. */
export type ParsedTemplate = readonly Statement[];
