"""The files of an app with a QueueService, as such apps have them in `lib/queue` and beside it."""

FILES = {
    "lib/queue/queues.ts": """
import { Queue } from "bullmq";
import { connection as redisConnection } from "@/lib/connection";

export const QUEUE_NAMES = { PUSH_NOTIFICATIONS: "push-notifications", FILE_PROCESSING: "file-processing" } as const;

export const JOB_TYPES = {
  PUSH_NOTIFICATION: 'push-notification',
  PROCESS_IMAGE: 'process-image',
  PROCESS_VIDEO: 'process-video',
  OPTIMIZE_AVATAR: 'optimize-avatar',
  SEND_EMAIL: 'send-email',
} as const;

export const pushNotificationQueue = new Queue(QUEUE_NAMES.PUSH_NOTIFICATIONS, {
  connection: redisConnection,
  defaultJobOptions: {
    attempts: 3,              // Retry up to 3 times
    backoff: {
      type: 'exponential',
      delay: 2000,            // Start with 2s delay
    },
    removeOnComplete: {
      age: 24 * 3600,         // Keep completed jobs for 24 hours
      count: 1000,            // Keep last 1000 completed jobs
    },
    removeOnFail: {
      age: 7 * 24 * 3600,     // Keep failed jobs for 7 days
    },
  },
});

export const fileProcessingQueue = new Queue(QUEUE_NAMES.FILE_PROCESSING, {
  connection: redisConnection,
  defaultJobOptions: {
    attempts: 2,              // Retry up to 2 times (expensive!)
    backoff: {
      type: 'exponential',
      delay: 5000,            // Start with 5s delay
    },
    removeOnComplete: {
      age: 7 * 24 * 3600,     // Keep completed jobs for 7 days
      count: 500,             // Keep last 500 completed jobs
    },
    removeOnFail: {
      age: 7 * 24 * 3600,     // Keep failed jobs for 7 days
    },
  },
});

export const emailQueue = new Queue('email', {
  connection: redisConnection,
  defaultJobOptions: {
    attempts: 3,
    backoff: {
      type: 'exponential',
      delay: 2000,
    },
  },
});
""",
    "lib/queue/queue-service.ts": """
import type { Job } from "bullmq";
import { emailQueue, fileProcessingQueue, JOB_TYPES, pushNotificationQueue } from "./queues";

type Logger = { log(...words: unknown[]): void; error(...words: unknown[]): void };

export class QueueService {
  constructor(private logger: Logger) {}

  async addPushNotification(data: {
    userId: string;
    payload: { title: string; body: string; url?: string; icon?: string };
  }): Promise<Job> {
    try {
      const job = await pushNotificationQueue.add(JOB_TYPES.PUSH_NOTIFICATION, data, {
        priority: 1,
        delay: 0,
      });
      this.logger.log(`Push notification job added: ${job.id}`, { component: 'QueueService', userId: data.userId });
      return job;
    } catch (error) {
      this.logger.error('Failed to add push notification job:', error);
      throw error;
    }
  }

  addBatchPushNotification(data: { userIds: string[]; payload: { title: string; body: string } }): Promise<Job> {
    return pushNotificationQueue.add('push-batch', data);
  }

  addImageProcessing(data: { fileId: string; filePath: string; userId: string }): Promise<Job> {
    return fileProcessingQueue.add(JOB_TYPES.PROCESS_IMAGE, data);
  }

  addVideoProcessing(data: { fileId: string; filePath: string; userId: string }): Promise<Job> {
    return fileProcessingQueue.add(JOB_TYPES.PROCESS_VIDEO, data);
  }

  addAvatar(data: { filePath: string; userId: string }): Promise<Job> {
    return fileProcessingQueue.add(JOB_TYPES.OPTIMIZE_AVATAR, data);
  }

  addEmail(data: { to: string; subject: string; body: string }): Promise<Job> {
    return emailQueue.add(JOB_TYPES.SEND_EMAIL, data);
  }
}

export const queueService = new QueueService(console);
""",
    "app/api/messages/route.ts": """
import { queueService } from "@/lib/queue/queue-service";

const createMessage = async (data: { content: string }) => ({ id: "m1", ...data });

export async function POST(req: Request) {
  const message = await createMessage(await req.json());
  await queueService.addPushNotification({
    userId: "user_route",
    payload: { title: 'New Message', body: message.content },
  });
  return Response.json({ message });
}
""",
    "lib/services/message-notification.service.ts": """
import type { QueueService } from "@/lib/queue/queue-service";

type Room = { name: string; members: { userId: string }[] };

export class MessageNotificationService {
  constructor(private rooms: Map<string, Room>, private queueService: QueueService) {}

  async sendPushNotifications(roomId: string, senderId: string, content: string) {
    const room = this.rooms.get(roomId);
    if (!room) return [];
    const recipients = room.members.filter(m => m.userId !== senderId).map(m => m.userId);
    return Promise.all(
      recipients.map(userId =>
        this.queueService.addPushNotification({
          userId,
          payload: {
            title: `New message in ${room.name}`,
            body: content,
            url: `/chat/${roomId}`,
          },
        })
      )
    );
  }
}
""",
}
IMPORTS = """
import { queueService } from "@/lib/queue/queue-service";
import { emailQueue, fileProcessingQueue, JOB_TYPES, pushNotificationQueue } from "@/lib/queue/queues";
import { finished } from "@/lib/finished";
"""
