import type { ChatMessage } from "@/lib/messages";
import { Attachment } from "./attachment";
import { Time } from "./time";

/** One message: text, or a file. Only its sender can follow the file's job. */
export function Message({ message, mine, author }: { message: ChatMessage; mine: boolean; author: string }) {
  return (
    <li className={mine ? "message mine" : "message"}>
      <span className="hidden">{author}:</span>
      {message.file ? <Attachment file={message.file} job={mine ? message.job : null} /> : <p>{message.text}</p>}
      <Time at={message.createdAt} />
    </li>
  );
}
