internal import Addressing
internal import CNI
internal import Kernel

/// What the container runtime asks by the CNI plugin.
extension NodeKeeper {
    func openPluginDesk() throws(SystemError) {
        try plugin.open(listeners[.cni], loop: loop) { [unowned self] connection, invocation in
            serve(invocation, on: connection)
        }
    }

    private func serve(_ invocation: PluginInvocation, on connection: PluginConnection) {
        let request: PluginRequest
        do {
            request = try PluginRequest(invocation)
        } catch {
            plugin.noteAnswer(isRefusal: true)
            log(.error, "a call of the CNI plugin is refused: \(error)")
            return connection.answer(.failure(error))
        }
        let call = PluginCall(request, on: connection)
        switch request.command {
        case .add: add(call)
        case .delete: delete(call)
        case .check: check(call)
        case .collectGarbage: collectGarbage(call)
        case .status: reportStatus(call)
        // The plugin answers it itself.
        case .version: complete(call, "answered")
        }
    }

    // MARK: Answers

    func complete(_ call: PluginCall, _ what: String) {
        plugin.noteAnswer(isRefusal: false)
        call.connection.answer(.success(of: call.request))
        log(.info, "\(call.subject): \(what), \(call.connection.age)")
    }

    func refuse(_ call: PluginCall, _ error: PluginError) {
        plugin.noteAnswer(isRefusal: true)
        call.connection.answer(.failure(error, call.request.configuration.version))
        log(.error, "\(call.subject) is refused with code \(error.code.rawValue): \(error), \(call.connection.age)")
    }

    /// The pod of a call that is to be looked at; nil for one that never is enrolled, or is none.
    private func pod(of request: PluginRequest) -> PodReference? {
        guard !request.concernsNobody, let pod = request.pod,
            !configuration.excludedNamespaces.contains(pod.namespace)
        else { return nil }
        return pod
    }

    // MARK: ADD

    private func add(_ call: PluginCall) {
        guard let pod = pod(of: call.request) else { return complete(call, "never enrolled") }
        ask(about: pod, for: call)
    }

    /// The pod is none of the mesh's; its namespace is remembered, so that nobody else is found there.
    func leave(_ pod: PodReference, _ reason: String, for call: PluginCall) {
        if let attachment = call.request.attachment, let place = try? PodPlace(call.request) {
            note(attachment, pod, place)
        }
        complete(call, "not enrolled: \(reason)")
    }

    func capture(_ pod: PodReference, as verdict: PodWish, for call: PluginCall) {
        guard let attachment = call.request.attachment else { return }
        do throws(KeeperError) {
            guard verdict.namespace == pod.namespace, verdict.name == pod.name else {
                throw KeeperError(.enrolment, "the controller spoke of another pod")
            }
            let place = try PodPlace(call.request)
            var wish = verdict
            wish.addresses = place.addresses + plugin.attachments.addresses(besides: attachment)
            wish.addresses = Array(wish.addresses.prefix(MessageLimits.addresses))
            if !pod.uid.isEmpty { wish.podUID = pod.uid }
            try cniPodAdded(wish: wish, namespacePath: place.path, containerID: attachment.containerID)
            if let trouble = pods[wish.uid]?.trouble { throw KeeperError(.enrolment, trouble) }
            note(attachment, pod, place)
            complete(call, "captured")
        } catch {
            let code: PluginError.Code = error.code == .busy ? .tryAgainLater : .notCaptured
            refuse(call, PluginError(code, "pod \(pod) is enrolled and cannot be captured: \(error)"))
        }
    }

    private func note(_ attachment: Attachment, _ pod: PodReference, _ place: PodPlace) {
        plugin.attachments.added(
            attachment,
            AttachmentTable.Entry(
                pod: pod, namespaceCookie: place.namespace.cookie, addresses: place.addresses, path: place.path,
                inode: place.namespace.inode))
        // Now and then, as they grow.
        guard plugin.attachments.count.isMultiple(of: 64) else { return }
        plugin.attachments.keep { Files.status($0.path)?.inode == $0.inode }
    }

    // MARK: DEL and GC

    private func delete(_ call: PluginCall) {
        guard let attachment = call.request.attachment else { return }
        guard plugin.attachments.removed(attachment) else {
            return complete(call, "the container has another interface")
        }
        adopt(call.request, attachment)
        complete(call, cniPodDeleted(containerID: attachment.containerID) ? "released" : "nothing was captured")
    }

    /// A pod that was found by itself, as after a restart of the agent, is known by its namespace.
    private func adopt(_ request: PluginRequest, _ attachment: Attachment) {
        guard !cniContainerIDs.keys.contains(attachment.containerID), !request.namespacePath.isEmpty,
            let namespace = try? NetworkNamespace.open(path: PodPlace.reachable(request.namespacePath)),
            let pod = pods.values.first(where: { $0.captured?.namespace.cookie == namespace.cookie }),
            pod.containerID == nil, request.pod.map({ $0.description == pod.name }) ?? true
        else { return }
        pod.containerID = attachment.containerID
    }

    private func collectGarbage(_ call: PluginCall) {
        guard let valid = call.request.configuration.validAttachments else { return }
        plugin.attachments.keep(valid)
        let living = Set(valid.map(\.containerID))
        let stale = cniContainerIDs.keys.filter { !living.contains($0) }.sorted()
        for containerID in stale { cniPodDeleted(containerID: containerID) }
        complete(call, "\(stale.count) of the pods that came by the runtime are let go")
    }

    // MARK: CHECK and STATUS

    private func check(_ call: PluginCall) {
        guard let name = pod(of: call.request) else {
            return complete(call, "never enrolled")
        }
        do {
            let place = try PodPlace(call.request)
            if let pod = pods.values.first(where: { $0.captured?.namespace.cookie == place.namespace.cookie }) {
                try verifyNow(pod, is: name)
                return complete(call, "captured")
            }
            // One that was left alone may have been enrolled since: ask.
            ask(about: name, for: call)
        } catch {
            refuse(call, PluginError(.checkFailed, "pod \(name): \(error)"))
        }
    }

    /// - Throws: `enrolment` for whatever is not as it should be, even if it is set right by that.
    private func verifyNow(_ pod: Pod, is name: PodReference) throws(KeeperError) {
        guard pod.name == name.description else {
            throw KeeperError(.enrolment, "its network namespace is captured for pod \(pod.name)")
        }
        guard pod.enrolment.isCaptured, let captured = pod.captured else {
            throw KeeperError(.enrolment, "its capture is being taken back")
        }
        let missing = captured.missingListeners()
        guard missing.isEmpty else {
            throw KeeperError(
                .enrolment, "nobody listens on \(missing.map(String.init).joined(separator: ", ")) of its namespace")
        }
        if let drift = try captured.verify() {
            throw KeeperError(.enrolment, "its rules were changed by another (\(drift)), and are set right now")
        }
        if let trouble = pod.trouble { throw KeeperError(.enrolment, trouble) }
    }

    private func reportStatus(_ call: PluginCall) {
        let reason: String
        if isStopping || isHandingOver {
            reason = "the agent is ending"
        } else if controller == nil {
            reason = "no controller runs"
        } else if !wishes.isComplete {
            reason = "the controller has not said yet which pods are enrolled"
        } else {
            return complete(call, "ready")
        }
        refuse(call, PluginError(.notAvailable, "pods cannot start now: \(reason)"))
    }
}

extension CapturedPod {
    /// The agent's ports on which nobody listens in the namespace.
    func missingListeners() -> [UInt16] {
        let open = try? namespace.performSystemCalls { () throws(SystemError) in
            try SocketDiagnosis().listeningPorts()
        }
        return PodSockets.listenerPorts.filter { !(open ?? []).contains($0) }
    }
}

extension PluginConnection {
    /// How long it has been going on, for the log.
    fileprivate var age: String {
        let (seconds, attoseconds) = (ContinuousClock.now - beganAt).components
        let microseconds = seconds * 1_000_000 + attoseconds / 1_000_000_000_000
        return "\(microseconds / 1000).\(microseconds % 1000 / 100) ms"
    }
}
