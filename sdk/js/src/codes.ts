/** The codes that this client gives or looks for: a part of docs/reference/errors.md. */
export const superseded = "M1003";
export const drain = "M1007";
export const unsupported = "M1016";
export const framing = "M1022";
/** There was no connection in time; given by this client only. */
export const notConnected = "M1040";
/** The client was closed; given by this client only. */
export const clientClosed = "M1041";
export const notMember = "M2003";
export const withdrawn = "M2006";
export const gone = "M2010";
export const expired = "M2011";
export const hole = "M2020";
export const busy = "M2022";
export const tooBig = "M3003";
export const conflict = "M3009";
