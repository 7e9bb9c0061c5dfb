import type { Metadata } from "next";
import { notFound } from "next/navigation";
import { Avatar } from "@/components/avatar";
import { Composer } from "@/components/composer";
import { Message } from "@/components/message";
import { PageBar } from "@/components/page-bar";
import { conversation } from "@/lib/messages";
import { prisma } from "@/lib/prisma";
import { requireUser } from "@/lib/users";

type Props = { params: Promise<{ id: string }> };

async function otherUser({ params }: Props) {
  return (await prisma.user.findUnique({ where: { id: (await params).id } })) ?? notFound();
}

export async function generateMetadata(props: Props): Promise<Metadata> {
  return { title: (await otherUser(props)).name };
}

export default async function Page(props: Props) {
  const user = await requireUser();
  const other = await otherUser(props);
  const messages = await conversation(user.id, other.id);
  return (
    <main className="pane chat">
      <PageBar title={other.name} back="/" backTo="everybody">
        <Avatar user={other} />
      </PageBar>
      <div className="scroll">
        <ol className="messages" aria-label={`Messages with ${other.name}`} aria-live="polite">
          {messages.map((message) => {
            const mine = message.fromId === user.id;
            return <Message key={message.id} message={message} mine={mine} author={mine ? "You" : other.name} />;
          })}
          {messages.length === 0 && <li className="note">No messages yet. Say hello to {other.name}.</li>}
        </ol>
      </div>
      <Composer toId={other.id} toName={other.name} />
    </main>
  );
}
