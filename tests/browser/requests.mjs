// Two people with phones, without JavaScript: alice asks, bob approves for less, denies more and revokes.
//
//   node requests.mjs GATE [FOLDER]
//
// Looks at every page on the way; with FOLDER, keeps a picture of each. Prints one JSON object a step; exit status 1
// when a page is not as it should be.

import { misfits, signIn, withPage } from './lib.mjs';

const [gate, folder] = process.argv.slice(2);
const phone = { width: 360, height: 740, javascript: false };
let steps = 0;
let bad = 0;

/** Looks at the page where `name` is: it says `texts`, fits the screen in light and dark, and the browser is content. */
async function look(name, page, problems, what, texts) {
  const found = [...problems.splice(0)];
  for (const text of texts) {
    if (!(await page.getByText(text, { exact: false }).first().isVisible())) found.push(`does not say: ${text}`);
  }
  for (const scheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme: scheme });
    found.push(...(await misfits(page)), ...(await faint(page, scheme)));
    if (folder) await page.screenshot({ path: `${folder}/${String(steps).padStart(2, '0')}-${name}-${scheme}.png`, fullPage: true });
  }
  steps += 1;
  bad += found.length;
  console.log(JSON.stringify({ who: name, step: what, url: new URL(page.url()).pathname, problems: found }));
}

/** Texts whose colour is too near to what is behind them (WCAG 2.2, 1.4.3). */
function faint(page, scheme) {
  return page.evaluate((scheme) => {
    const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
    const rgba = (colour) => {
      canvas.clearRect(0, 0, 1, 1);
      canvas.fillStyle = colour;
      canvas.fillRect(0, 0, 1, 1);
      return [...canvas.getImageData(0, 0, 1, 1).data];
    };
    const over = (top, under) => top.slice(0, 3).map((c, i) => (c * top[3]) / 255 + under[i] * (1 - top[3] / 255));
    const behind = (element) => {
      const layers = [];
      for (let e = element; e; e = e.parentElement) layers.push(rgba(getComputedStyle(e).backgroundColor));
      return layers.reverse().reduce((under, layer) => over(layer, under), scheme === 'dark' ? [0, 0, 0] : [255, 255, 255]);
    };
    const light = (rgb) => {
      const [r, g, b] = rgb.map((c) => c / 255).map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const faint = new Set();
    for (const element of document.querySelectorAll('body *')) {
      const own = [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim());
      if (!own || !element.checkVisibility() || element.getBoundingClientRect().right < 0) continue;
      const ground = behind(element);
      const [a, b] = [light(over(rgba(getComputedStyle(element).color), ground)), light(ground)].sort((x, y) => y - x);
      const contrast = (a + 0.05) / (b + 0.05);
      if (contrast < 4.5) faint.add(`${scheme}: hard to read (${contrast.toFixed(1)}): ${element.textContent.trim().slice(0, 30)}`);
    }
    return [...faint];
  }, scheme);
}

async function open(page, path, name) {
  await page.goto(gate + path);
  await signIn(page, name);
}

const press = async (page, text, clicks = 1) => {
  const button = page.getByRole('button', { name: text, exact: true }).first();
  // The second click breaks the first one's navigation off: whoever double clicks waits for what the page says.
  await (clicks === 2 ? button.dblclick() : Promise.all([page.waitForNavigation(), button.click()]));
};
const unfold = (page, text) => page.locator('summary', { hasText: text }).first().click();

await withPage(phone, (alice, ofAlice) =>
  withPage(phone, async (bob, ofBob) => {
    const hers = (what, texts) => look('alice', alice, ofAlice, what, texts);
    const his = (what, texts) => look('bob', bob, ofBob, what, texts);

    await open(alice, '/', 'alice');
    await hers('signs in', ['You have no access right now', 'orders', 'Ask']);
    await alice.getByRole('link', { name: 'Ask for orders as orders_read' }).click();
    await hers('opens the form', ['Ask for orders as orders_read', 'For how long']);
    await alice.locator('[name=reason]').fill('   ');
    await press(alice, 'Ask');
    await hers('forgets the reason', ['wants a reason']);
    await alice.locator('[name=reason]').fill('Checkout is slow since 09:40; looking at locks on the orders table.');
    await alice.locator('[name=duration]').selectOption('7200');
    await press(alice, 'Ask', 2);
    await alice.getByText('You asked.').waitFor();
    await hers('asks, with a double click', ['pending', 'Waits for 1 approval by group sre-leads']);
    const request = new URL(alice.url()).pathname;

    await open(bob, '/requests', 'bob');
    await his('sees what waits', ['Waiting for you', 'alice@example.com', 'Checkout is slow']);
    await bob.locator('a.row-link').first().click();
    await his('opens it', ['Your decision', 'alice@example.com', 'Asked from']);
    await bob.locator('[name=duration]').selectOption('1800');
    await bob.locator('[name=note]').fill('Take the replica if you can.');
    await press(bob, 'Approve', 2);
    await bob.getByText('You approved.').waitFor();
    await his('approves for less, with a double click', ['approved 30 min', 'Take the replica', 'Revoke']);

    // Her page looks again by itself.
    await alice.getByText('Return it now').waitFor({ timeout: 15_000 });
    await hers('has it', ['active', 'psql -h', 'in 29 min']);
    await alice.locator('[name=reason]').fill('Nearly there');
    await press(alice, 'Ask for more time');
    await hers('asks for more', ['More time for orders as orders_read', 'You asked.']);
    const extension = new URL(alice.url()).pathname;

    await open(bob, extension, 'bob');
    await unfold(bob, 'Deny');
    await bob.locator('#deny-reason').fill('Thirty minutes must do.');
    await press(bob, 'Deny');
    await his('denies more', ['You denied.', 'Thirty minutes must do.']);
    await open(alice, '/', 'alice');
    await hers('looks at what she has', ['ends', 'Return', 'See the request']);

    await open(bob, request, 'bob');
    await unfold(bob, 'Revoke');
    await bob.locator('#revoke-reason').fill('The incident is over.');
    await press(bob, 'Revoke');
    await his('revokes', ['You revoked the access.', 'The incident is over.']);
    await open(alice, '/requests', 'alice');
    await hers('sees her requests', ['Yours', 'denied', 'approved']);
    await open(alice, request, 'alice');
    await hers('reads why', ['revoked', 'The incident is over.', 'More time asked for: denied']);
    await open(alice, '/targets', 'alice');
    await hers('may ask again', ['Ask for access']);
    await open(alice, '/requests/req_aaaaaaaaaaaaaaaa', 'alice');
    await hers('opens what is not there', ['There is no such request']);
  }),
);
process.exitCode = bad ? 1 : 0;
