// A Chromium at the size of a screen, and what is looked for on every page.

import { existsSync } from 'node:fs';
import { chromium } from 'playwright-core';

const PLACES = [process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

/** Calls `use(page, problems)` with a fresh page; `problems` collects what the browser itself complains of. */
export async function withPage({ width = 1280, height = 800, javascript = true }, use) {
  const executablePath = PLACES.find((place) => place && existsSync(place));
  if (!executablePath) throw new Error('no Chromium here: run `cargo xtask test`, or set CHROMIUM');
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] });
  try {
    const context = await browser.newContext({
      viewport: { width, height },
      ignoreHTTPSErrors: true,
      javaScriptEnabled: javascript,
      hasTouch: width < 600,
      isMobile: width < 600,
    });
    context.setDefaultTimeout(10_000);
    const page = await context.newPage();
    const problems = [];
    // Violations of the Content-Security-Policy are console errors too. A 4xx page is an answer, not a problem.
    page.on('console', (message) => {
      if (message.type() === 'error' && !/status of 4\d\d/.test(message.text())) problems.push(message.text());
    });
    page.on('pageerror', (error) => problems.push(String(error)));
    return await use(page, problems);
  } finally {
    await browser.close();
  }
}

/** Goes through the test provider's pages as `name`, if that is where the page is. */
export async function signIn(page, name) {
  for (let step = 0; step < 4 && new URL(page.url()).pathname.startsWith('/interaction/'); step += 1) {
    const field = page.locator('#login input[name=name]');
    if (await field.count()) {
      await field.fill(name);
      await Promise.all([page.waitForNavigation(), page.locator('#login button').first().click()]);
    } else {
      await Promise.all([page.waitForNavigation(), page.locator('#consent button').click()]);
    }
  }
}

/** What is wrong with how the page fits its screen: sideways scrolling, targets too small for a thumb. */
export async function misfits(page) {
  return page.evaluate(() => {
    const found = [];
    const width = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth > width) {
      const wide = [...document.body.querySelectorAll('*')].filter((e) => e.getBoundingClientRect().right > width + 1);
      const names = wide.slice(0, 5).map((e) => `${e.tagName.toLowerCase()}.${e.className}`).join(', ');
      found.push(`scrolls sideways: ${document.documentElement.scrollWidth} > ${width} px (${names})`);
    }
    if (width < 600) {
      for (const button of document.querySelectorAll('button, input[type=submit]')) {
        const { height, width: wide } = button.getBoundingClientRect();
        // WCAG 2.2, 2.5.8: targets of at least 24 px.
        if (height > 0 && (height < 24 || wide < 24)) found.push(`too small to press: ${button.textContent.trim()}`);
      }
    }
    if (!document.querySelector('html[lang]')) found.push('the page does not say its language');
    if (!document.title) found.push('the page has no title');
    return found;
  });
}
