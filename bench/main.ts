/** Entry of the benchmark page. */
import { provideTool } from '../tools/browser/page-tool.ts';
import { runBench } from './page.ts';
import type { BenchOptions } from './page.ts';
import type { BenchDevice, BenchRow } from './result.ts';

provideTool<BenchOptions, BenchRow, BenchDevice>(runBench);
