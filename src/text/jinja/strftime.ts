const MONTHS = [
  ...['January', 'February', 'March', 'April', 'May', 'June', 'July'],
  ...['August', 'September', 'October', 'November', 'December'],
];
const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];

/**
 * A date as Python's strftime writes it in the C locale on Linux: models were trained on English names, whatever the
 * language of the browser. Codes that no chat template is known to use (time zones, ISO weeks) stay as they are.
 */
export function strftime(date: Date, format: string): string {
  // %-d and the like: no leading zero.
  return format.replace(/%(-?)([A-Za-z%])/g, (whole, dash: string, code: string) => {
    const text = field(date, code);
    if (text === undefined) return whole;
    return dash ? text.replace(/^[0 ]+(?=\d)/, '') : text;
  });
}

const WHOLE: Readonly<Record<string, string>> = {
  c: '%a %b %e %H:%M:%S %Y',
  x: '%m/%d/%y',
  D: '%m/%d/%y',
  X: '%H:%M:%S',
  T: '%H:%M:%S',
  R: '%H:%M',
  F: '%Y-%m-%d',
  h: '%b',
};

function field(date: Date, code: string): string | undefined {
  const whole = WHOLE[code];
  if (whole !== undefined) return strftime(date, whole);
  const two = (value: number, fill = '0') => String(value).padStart(2, fill);
  const month = MONTHS[date.getMonth()] ?? '';
  const day = DAYS[date.getDay()] ?? '';
  const [hour, ofTwelve] = [date.getHours(), date.getHours() % 12 || 12];
  const dayOfYear = yearDay(date);
  const codes: Record<string, string> = {
    Y: String(date.getFullYear()),
    y: two(date.getFullYear() % 100),
    C: two(Math.floor(date.getFullYear() / 100)),
    m: two(date.getMonth() + 1),
    d: two(date.getDate()),
    e: two(date.getDate(), ' '),
    j: String(dayOfYear).padStart(3, '0'),
    B: month,
    b: month.slice(0, 3),
    A: day,
    a: day.slice(0, 3),
    u: String(date.getDay() || 7),
    w: String(date.getDay()),
    U: two(Math.floor((dayOfYear + 6 - date.getDay()) / 7)),
    W: two(Math.floor((dayOfYear + 6 - ((date.getDay() + 6) % 7)) / 7)),
    H: two(hour),
    k: two(hour, ' '),
    I: two(ofTwelve),
    l: two(ofTwelve, ' '),
    M: two(date.getMinutes()),
    S: two(date.getSeconds()),
    f: `${String(date.getMilliseconds()).padStart(3, '0')}000`,
    p: hour < 12 ? 'AM' : 'PM',
    P: hour < 12 ? 'am' : 'pm',
    n: '\n',
    t: '\t',
    '%': '%',
  };
  return Object.hasOwn(codes, code) ? codes[code] : undefined;
}

function yearDay(date: Date): number {
  const days =
    Date.UTC(date.getFullYear(), date.getMonth(), date.getDate()) - Date.UTC(date.getFullYear(), 0, 0);
  return days / 86_400_000;
}
