/** What the readers say about a log, in English. */

/** Sentences and their parts by key; parts stand in the values of others. */
export const notesEn = {
  /** A fault of rows, how often and where first. */
  counted: ({ fault, times, first }: { fault: string; times: number; first: string }) => `${fault}: ${times === 1 ? 'once' : `${times} times`}, first in ${first}.`,
  gaps: ({ metric, times, first }: { metric: string; times: number; first: string }) =>
    `${metric} is not a finite number ${times === 1 ? 'once' : `${times} times`} (gap in its curve), first in ${first}.`,

  rowNoObject: () => 'A row is not an object with named values and was left out',
  rowNoStep: () => 'A row has no step of at least 0 and was left out',
  nameTooLong: ({ characters }: { characters: number }) => `A name longer than ${characters} characters and its value were left out`,
  textTooLong: ({ characters }: { characters: number }) => `A text longer than ${characters} characters was left out`,
  numberAsText: () => 'A number was written as text and is read as a number',
  noValue: () => 'A value that is neither a number nor a text was left out',
  stepsGoBack: () => 'The step goes back (a resumed run?); charts and statistics sort rows by step',
  progressOnly: () => 'A line tells progress only and has no metric',
  stepsCounted: () => 'The rows name no step: they are counted, as they were logged',
  lineNoObject: () => 'A line is no JSON object and was left out',

  row: ({ history, row }: { history: string; row: number }) => `${history}, row ${row}`,
  line: ({ line }: { line: number }) => `line ${line}`,
  back: ({ history, from, to }: { history: string; from: number; to: number }) => `${history}: from ${from} to ${to}`,
  trainRows: () => 'training rows',
  validationRows: () => 'validation rows',

  /** What the run itself noted. */
  notice: ({ step, text }: { step: number; text: string }) => `Step ${step}: ${text}`,
  severalMethods: ({ methods }: { methods: string }) => `Rows of several methods stand in one log (${methods}); all are read.`,
  severalTrainers: () => 'Lines of LLaMA-Factory and of ms-swift stand in one file; all are read.',
  columnTwice: ({ name }: { name: string }) => `The column "${name}" occurs twice; of equal names the last one counts.`,
  rangesLeftOut: ({ columns }: { columns: number }) => `${columns} columns with the minimum and maximum of grouped runs were left out.`,
  openQuote: ({ line }: { line: number }) => `A quoted cell that begins in line ${line} never ends; what stands before it is shown.`,
  logsPassedOver: ({ logs }: { logs: string }) => `The folder holds more logs of this run, which were not read: ${logs}.`,
  lineBreaksOff: ({ line, reason }: { line: number; reason: string }) => `The log breaks off in line ${line}: ${reason}. What stands before is shown.`,
  eventsBreakOff: ({ byte, reason }: { byte: number; reason: string }) => `The event file breaks off at byte ${byte}: ${reason}. What stands before is shown.`,
  jsonBreaksOff: ({ line, byte, reason }: { line: number; byte: number; reason: string }) =>
    `The JSON breaks off in line ${line}, byte ${byte}: ${reason}. What stands before is shown.`,

  endsBeforeValue: () => 'the text ends where a value was expected',
  endsInObject: () => 'the text ends inside an object',
  endsAfterKey: () => 'the text ends after a key',
  endsInList: () => 'the text ends inside a list',
  endsInString: () => 'the text ends inside a string',
  stringNeverEnds: () => 'the text ends inside a string that begins here',
  endsInValue: () => 'the text ends inside a value',
  tooDeep: ({ levels }: { levels: number }) => `nesting is deeper than ${levels} levels`,
  noKey: () => 'a key in double quotes was expected',
  noColon: () => 'a colon was expected after a key',
  noCommaInObject: () => 'a comma or } was expected',
  noCommaInList: () => 'a comma or ] was expected',
  controlCharacter: () => 'a control character stands inside a string',
  noHexDigits: () => 'four hexadecimal digits were expected after \\u',
  unknownEscape: () => 'an unknown escape stands inside a string',
  noJsonValue: () => 'this is no JSON value',
  cutNumber: () => 'a number begins here that is cut or malformed',
  textAfterEnd: () => 'more text follows the end of the JSON value',
};

export type Notes = typeof notesEn;
