/** The page's half of tool-page.ts. Imported by pages, so nothing of Node here. */
import type { ToolProgram } from './tool-page.ts';

/**
 * Makes the program known to the command that opened this page; its rows go there one by one.
 * The names are those of tool-page.ts.
 */
export function provideTool<Options, Row, Result>(program: ToolProgram<Options, Row, Result>): void {
  const page = globalThis as unknown as {
    lorikeetReport: (row: Row) => Promise<void>;
    lorikeetTool: (options: Options) => Promise<Result>;
  };
  page.lorikeetTool = async (options) => {
    const sent: Promise<void>[] = [];
    const result = await program(options, (row) => sent.push(page.lorikeetReport(row)));
    await Promise.all(sent);
    return result;
  };
}
