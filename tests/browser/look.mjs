// Does with a real browser what it is told, step by step, and looks at each page on the way:
//
//   node look.mjs [--width 360] [--no-javascript] [--as NAME] STEP…
//
//   open URL        (signs in at the test provider as NAME where that is asked)
//   as NAME         (another person, with no cookies; for the steps that follow)
//   fill FIELD=TEXT
//   press BUTTON    (by its text)
//   unfold TEXT     (opens what is folded below that)
//   see TEXT        (waits until the page shows it)
//   shot FILE.png
//
// Prints {"url","title","text","buttons","problems"} of the last page; exit status 1 when there are problems.

import { parseArgs } from 'node:util';
import { misfits, signIn, withPage } from './lib.mjs';

const { values: args, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    width: { type: 'string', default: '1280' },
    'no-javascript': { type: 'boolean', default: false },
    as: { type: 'string', default: 'alice' },
  },
});

const steps = {
  open: async (page, url) => {
    await page.goto(url);
    await signIn(page, args.as);
  },
  as: async (page, name) => {
    await page.context().clearCookies();
    args.as = name;
  },
  fill: async (page, what) => {
    const [, name, value] = /^([^=]*)=(.*)$/s.exec(what);
    const field = page.locator(`[name="${name}"]`).first();
    if ((await field.evaluate((e) => e.tagName)) === 'SELECT') await field.selectOption(value);
    else await field.fill(value);
  },
  press: async (page, text) => {
    const button = page.getByRole('button', { name: text, exact: true }).first();
    await Promise.all([page.waitForNavigation(), button.click()]);
    await signIn(page, args.as);
  },
  unfold: (page, text) => page.locator('summary', { hasText: text }).first().click(),
  see: (page, text) => page.getByText(text).first().waitFor({ timeout: 15_000 }),
  shot: (page, path) => page.screenshot({ path, fullPage: true }),
};

const javascript = !args['no-javascript'];
const found = await withPage({ width: Number(args.width), javascript }, async (page, problems) => {
  for (let i = 0; i < positionals.length; i += 2) {
    const [what, how] = positionals.slice(i, i + 2);
    if (!steps[what]) throw new Error(`no such step: ${what}`);
    await steps[what](page, how);
    for (const misfit of await misfits(page)) {
      const problem = `after ${what} ${how}: ${misfit}`;
      if (!problems.some((known) => known.endsWith(misfit))) problems.push(problem);
    }
  }
  return {
    url: page.url(),
    title: await page.title(),
    text: (await page.locator('body').innerText()).replace(/\s+/g, ' ').trim(),
    buttons: (await page.getByRole('button').allInnerTexts()).map((text) => text.trim()),
    problems,
  };
});
console.log(JSON.stringify(found));
process.exitCode = found.problems.length ? 1 : 0;
