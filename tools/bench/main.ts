/** Entry of the benchmark page. */
import { runBench } from '../../bench/page.ts';
import type { BenchOptions } from '../../bench/page.ts';
import type { BenchDevice, BenchRow } from '../../bench/result.ts';
import { provideTool } from '../browser/page-tool.ts';

provideTool<BenchOptions, BenchRow, BenchDevice>(runBench);
