import { useState } from "preact/hooks";

/** The same from the command line and over HTTP. */
export function Outside({ room }: { room: string }) {
    // The command line finds a server at its own port by itself.
    const server = location.port === "7400" ? "" : ` --server ws://${location.host}`;
    const cli = `muster pub ${room} chat '{"text":"hi"}' --user carol${server}`;
    // No indents: on a narrow card, a line that does not fit would begin below its indent.
    const http =
        `curl -H 'content-type: application/json' \\\n` +
        `-d '{"data":{"text":"hi"},"from":"curl"}' \\\n` +
        `localhost:7401/v1/queues${room}/-/mounts/chat/messages`;
    return (
        <section class="card">
            <h2>From outside</h2>
            <p class="quiet">Two more ways to say something in this room.</p>
            <Command title="Command line" text={cli} />
            <Command title="HTTP" text={http} />
        </section>
    );
}

function Command({ title, text }: { title: string; text: string }) {
    const [copied, setCopied] = useState(false);
    const copy = async () => {
        await navigator.clipboard.writeText(text);
        setCopied(true);
        setTimeout(() => setCopied(false), 1500);
    };
    return (
        <div class="command">
            <h3>{title}</h3>
            {"clipboard" in navigator && (
                <button class="plain" onClick={copy} aria-label={`Copy: ${title}`}>
                    {copied ? "Copied" : "Copy"}
                </button>
            )}
            <pre>
                <code>{text}</code>
            </pre>
        </div>
    );
}
