/**
 * The messages of proto/muster/client.proto by the numbers of their fields: name in JSON, type, label.
 * Written by `npm run schema`, not by hand.
 */
export type Field = readonly [name: string, type: string, label?: "optional" | "repeated"];

export const messages: Readonly<Record<string, Readonly<Record<number, Field>>>> = {
    Cursor: {
        1: ["inc", "number"],
        2: ["seq", "number"],
    },
    Data: {
        1: ["d", "text", "optional"],
        2: ["b", "bytes", "optional"],
    },
    Ping: {},
    Pong: {},
    ClientFrame: {
        1: ["i", "number", "optional"],
        2: ["send", "Send"],
        3: ["set", "Set"],
        4: ["ack", "Ack"],
        5: ["ping", "Ping"],
        6: ["pong", "Pong"],
        16: ["hello", "Hello"],
        17: ["auth", "Auth"],
        18: ["join", "Join"],
        19: ["listen", "Listen"],
        20: ["leave", "Leave"],
        21: ["unlisten", "Unlisten"],
        22: ["withdraw", "Withdraw"],
        23: ["history", "History"],
    },
    Op: {
        1: ["n", "number", "optional"],
        2: ["inc", "number", "optional"],
        3: ["try", "number", "optional"],
    },
    Hello: {
        1: ["v", "number", "repeated"],
        2: ["token", "text"],
        3: ["user", "text"],
        4: ["nonce", "text"],
        5: ["resume", "text"],
        6: ["cid", "text"],
        7: ["cn", "number"],
        8: ["resolve", "flag"],
        9: ["since", "Since", "repeated"],
    },
    Since: {
        1: ["q", "text"],
        2: ["cursor", "Cursor"],
    },
    Auth: {
        1: ["token", "text"],
    },
    Join: {
        1: ["q", "text"],
        2: ["op", "Op"],
        3: ["since", "Cursor"],
    },
    Listen: {
        1: ["q", "text"],
        2: ["since", "Cursor"],
    },
    Leave: {
        1: ["q", "text"],
        2: ["op", "Op"],
    },
    Unlisten: {
        1: ["q", "text"],
    },
    Send: {
        1: ["q", "text"],
        2: ["m", "text"],
        3: ["op", "Op"],
        4: ["data", "Data"],
    },
    Set: {
        1: ["q", "text"],
        2: ["m", "text"],
        3: ["k", "text"],
        4: ["op", "Op"],
        5: ["data", "Data"],
        6: ["if", "number", "optional"],
    },
    Withdraw: {
        1: ["q", "text"],
        2: ["op", "Op"],
    },
    History: {
        1: ["q", "text"],
        2: ["m", "text"],
        3: ["before", "number", "optional"],
    },
    Ack: {
        1: ["n", "number"],
    },
    ServerFrame: {
        1: ["i", "number", "optional"],
        5: ["ping", "Ping"],
        6: ["pong", "Pong"],
        9: ["msg", "Message"],
        10: ["state", "State"],
        11: ["ok", "Ok"],
        12: ["members", "Members"],
        13: ["err", "Err"],
        32: ["hello", "Welcome"],
        33: ["joined", "Joined"],
        34: ["reset", "Reset"],
        35: ["mount", "MountChange"],
        36: ["retry", "Retry"],
        37: ["refused", "Refused"],
        38: ["gap", "Gap"],
        39: ["stalled", "Stalled"],
        40: ["left", "Left"],
        41: ["bye", "Bye"],
        42: ["history", "HistoryItems"],
    },
    Welcome: {
        1: ["v", "number"],
        2: ["user", "text"],
        3: ["session", "number"],
        4: ["resume", "text"],
        5: ["cid", "text"],
        6: ["ping", "number"],
    },
    Resume: {
        1: ["kind", "Kind"],
        2: ["count", "number"],
        3: ["from", "number"],
        4: ["to", "number"],
    },
    KeyValue: {
        1: ["key", "text"],
        2: ["value", "Data"],
    },
    Mount: {
        1: ["name", "text"],
        2: ["type", "MountType"],
        3: ["values", "KeyValue", "repeated"],
        4: ["resume", "Resume"],
    },
    Member: {
        1: ["user", "text"],
        2: ["info", "text"],
    },
    Joined: {
        1: ["q", "text"],
        2: ["member", "flag"],
        3: ["at", "Cursor"],
        4: ["mounts", "Mount", "repeated"],
        5: ["members", "number"],
        6: ["who", "Member", "repeated"],
    },
    Reset: {
        1: ["q", "text"],
        2: ["at", "Cursor"],
        3: ["why", "text"],
        4: ["mounts", "Mount", "repeated"],
        5: ["members", "number"],
        6: ["who", "Member", "repeated"],
    },
    Message: {
        1: ["q", "text"],
        2: ["m", "text"],
        3: ["seq", "number"],
        4: ["prev", "number", "optional"],
        5: ["from", "text"],
        6: ["t", "number"],
        7: ["n", "number", "optional"],
        8: ["data", "Data"],
    },
    State: {
        1: ["q", "text"],
        2: ["m", "text"],
        3: ["seq", "number"],
        4: ["prev", "number", "optional"],
        5: ["changes", "KeyValue", "repeated"],
    },
    Members: {
        1: ["q", "text"],
        2: ["seq", "number"],
        3: ["prev", "number", "optional"],
        4: ["set", "Member", "repeated"],
        5: ["del", "Gone", "repeated"],
        6: ["count", "number"],
    },
    Gone: {
        1: ["user", "text"],
        2: ["why", "text"],
    },
    MountChange: {
        1: ["q", "text"],
        2: ["m", "text"],
        3: ["seq", "number"],
        4: ["prev", "number", "optional"],
        5: ["type", "MountType"],
    },
    Ok: {
        1: ["seq", "number", "optional"],
        2: ["inc", "number", "optional"],
    },
    Err: {
        1: ["code", "number"],
        2: ["message", "text"],
        3: ["current", "number", "optional"],
    },
    Retry: {
        1: ["code", "number"],
        2: ["after_ms", "number"],
    },
    Refused: {
        1: ["try", "number"],
        2: ["code", "number"],
    },
    Gap: {
        1: ["q", "text"],
        2: ["m", "text"],
        3: ["from", "number"],
        4: ["to", "number"],
    },
    Stalled: {
        1: ["q", "text"],
        2: ["on", "flag"],
    },
    Left: {
        1: ["q", "text"],
        2: ["why", "text"],
    },
    Bye: {
        1: ["code", "number"],
        2: ["spread_ms", "number", "optional"],
        3: ["retry_ms", "number", "optional"],
        4: ["message", "text"],
    },
    HistoryItems: {
        1: ["q", "text"],
        2: ["m", "text"],
        3: ["items", "Message", "repeated"],
        4: ["more", "flag"],
    },
};

export const enums: Readonly<Record<string, readonly string[]>> = {
    Kind: ["fresh", "replayed", "snapshot", "gap"],
    MountType: ["none", "message", "state"],
};
