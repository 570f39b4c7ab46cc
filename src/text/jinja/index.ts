/** Jinja2 as chat templates use it: the language of its sandbox, in the setting of transformers. */
export type { ParsedTemplate } from './ast.ts';
export { namesIn } from './names.ts';
export { parseTemplate } from './parser.ts';
export { renderTemplate, type RenderContext } from './render.ts';
export { strftime } from './strftime.ts';
export {
  BudgetError,
  JinjaError,
  JinjaSyntaxError,
  RaisedError,
  TemplateError,
  UnsupportedError,
} from './errors.ts';
