/** mqtt.js in a page that Chromium shows: `stock_chromium.ts URL`. Recorded by ../../record.ts. */

import { Chromium } from "../../../interop/chromium.ts";
import { dialFrom, PageServer } from "../../../interop/mqtt_page.ts";
import { Member } from "../../../support/member.ts";

const [url = ""] = Deno.args;
await using pages = new PageServer();
await using browser = await Chromium.open();
await using member = await Member.connect(dialFrom(browser, pages.url), url, "client-1");
await member.hello({ samples: 8 });
await member.update(await member.task(1), await member.model(0), { samples: 8 });
await member.confirm();
