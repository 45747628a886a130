import { useState } from "preact/hooks";

/** The same from the command line and over HTTP. */
export function Outside({ room }: { room: string }) {
    const cli = `muster pub ${room} chat '{"text":"hi"}' --user carol`;
    const http =
        `curl -X POST \\\n  localhost:7401/v1/queues${room}/-/mounts/chat/messages \\\n` +
        `  -H 'content-type: application/json' \\\n` +
        `  -d '{"data":{"text":"hi"},"from":"curl"}'`;
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
