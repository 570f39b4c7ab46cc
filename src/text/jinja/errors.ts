/** What goes wrong in a template. */

/** An error of a template, with its line. */
export abstract class TemplateError extends Error {
  /** Of the template, from 1; undefined where the innermost statement is not yet known. */
  line: number | undefined;

  constructor(message: string, line?: number) {
    super(message);
    this.line = line;
  }
}

/** What fails while a template runs: a missing variable, a wrong type. */
export class JinjaError extends TemplateError {
  override readonly name: string = 'JinjaError';
}

/** What a template says by `raise_exception`: it does not want what it was given. */
export class RaisedError extends JinjaError {
  override readonly name = 'RaisedError';
}

/** What Jinja2 has and this interpreter lacks. */
export class UnsupportedError extends JinjaError {
  override readonly name = 'UnsupportedError';
}

/** The text is no template. */
export class JinjaSyntaxError extends TemplateError {
  override readonly name = 'JinjaSyntaxError';
}

/** A rendering takes more than it may. */
export class BudgetError extends TemplateError {
  override readonly name = 'BudgetError';
}

/**
 * Gives an error the line of the innermost statement that it leaves. The interpreter calls itself for what is nested, and a
 * full stack is a RangeError.
 */
export function placed(cause: unknown, line: number): unknown {
  const error = cause instanceof RangeError ? new BudgetError(cause.message) : cause;
  if (error instanceof TemplateError) error.line ??= line;
  return error;
}
