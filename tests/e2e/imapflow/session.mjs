// A day of an imapflow client: node session.mjs '{"host":…,"port":…,"user":…,"password":…,"ca":…}'
// Prints one JSON object of what it found; any refused command ends it with status 1.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const facts = JSON.parse(process.argv[2]);
const { ImapFlow } = createRequire(facts.modules + '/')('imapflow');

function client() {
    return new ImapFlow({
        host: facts.host,
        port: facts.port,
        secure: true,
        auth: { user: facts.user, pass: facts.password },
        tls: { ca: readFileSync(facts.ca), checkServerIdentity: () => undefined },
        logger: false,
        qresync: true,
    });
}

const letter = (subject, text) =>
    `From: me@example.test\r\nTo: you@example.test\r\nSubject: ${subject}\r\n` +
    `Message-ID: <${subject.replace(/\W/g, '')}@example.test>\r\n\r\n${text}\r\n`;

async function collect(iterable) {
    const found = [];
    for await (const one of iterable) found.push(one);
    return found;
}

const first = client();
await first.connect();
const found = { enabled: [...first.enabled].sort(), special: {} };
for (const folder of await first.list({ statusQuery: { messages: true, unseen: true } })) {
    if (folder.specialUse) found.special[folder.specialUse] = folder.path;
}
await first.mailboxCreate(['Проекты', 'Größe']);
found.created = (await first.list()).map(one => one.path).filter(path => path.startsWith('Про'));

const inbox = await first.mailboxOpen('INBOX');
found.readOnly = inbox.readOnly;
for (let n = 1; n <= 5; n++) {
    const flags = n % 2 ? ['\\Seen'] : [];
    await first.append('INBOX', letter(`flow ${n}`, `text number ${n}`), flags);
}
found.seen = await first.search({ seen: true });
found.byText = await first.search({ body: 'number 4' }, { uid: true });
const query = { envelope: true, flags: true, bodyStructure: true, internalDate: true, size: true };
found.subjects = (await collect(first.fetch('1:*', query))).map(one => one.envelope.subject);
const whole = await first.download('2', undefined, { uid: false });
found.downloaded = (await collect(whole.content)).join('').includes('text number 2');
await first.messageFlagsAdd('2', ['\\Flagged', 'Work']);
found.flags = [...(await first.fetchOne('2', { flags: true })).flags].sort();

// Another session changes things; the first one hears of it while it idles.
const second = client();
await second.connect();
await second.mailboxOpen('INBOX');
const told = new Promise(resolve => first.once('exists', event => resolve(event.count)));
const gone = new Promise(resolve => first.once('expunge', event => resolve(true)));
const idling = first.idle();
await second.append('INBOX', letter('flow 6', 'pushed'));
found.pushed = await told;
await second.messageDelete('1');
found.vanished = await gone;
const moved = await second.messageMove('1', 'Archive');
found.movedUids = moved.uidMap.size;
const copied = await second.messageCopy('1:2', 'Проекты/Größe');
found.copiedUids = copied.uidMap.size;
await second.mailboxRename('Проекты', 'Projects');
found.renamed = (await second.list()).map(one => one.path).filter(path => path.startsWith('Proj'));
found.status = await second.status('Archive', { messages: true, uidNext: true });
await second.mailboxDelete(['Projects', 'Größe']);
await second.logout();
await first.noop();
await idling;
found.left = (await first.search({ all: true })).length;
await first.logout();
process.stdout.write(JSON.stringify(found) + '\n');
