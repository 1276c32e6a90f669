/** Opens the page a second time while the first one trains, and takes the run if it is offered there. */
import type { Page } from 'playwright';

const LOOK_MS = 150;
/** How often to look whether the run can be had. */
const LOOKS = 60;

/** @returns what came of it, in words */
export async function visit(page: Page, url: string, runId: string | null): Promise<string> {
  await page.goto(runId === null ? url : `${url}#/runs/${runId}`, { timeout: 120_000 });
  const resume = page.getByTestId('resume').first();
  const refused = page.getByTestId('error-box').first();
  let pressed = false;
  for (let look = 0; look < LOOKS; look++) {
    if (await refused.isVisible()) return `refused: ${(await refused.innerText()).replaceAll(/\s+/g, ' ').slice(0, 160)}`;
    if (!pressed && (await resume.isVisible()) && (await resume.isEnabled())) {
      await resume.click({ timeout: 20_000 });
      pressed = true;
    }
    await page.waitForTimeout(LOOK_MS);
  }
  return pressed ? 'the run was offered' : 'the run is not offered';
}
